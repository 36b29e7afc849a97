from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.compile.addresses import is_address, value, why_not

REACH = "write the address at which Prometheus reaches the node"
IPV4 = st.ip_addresses(v=4).filter(lambda ip: str(ip) not in {"0.0.0.0", "255.255.255.255"})  # noqa: S104
IPV6 = st.ip_addresses(v=6).filter(lambda ip: not ip.is_unspecified and int(ip) >> 32 != 0xFFFF)


@given(IPV4.map(str) | IPV6.map(str))
def test_every_ip_address_is_one(address: str) -> None:
    assert is_address(address)


@given(st.text(max_size=12) | st.text(st.sampled_from("aA09.:-_%\n é"), max_size=12))
def test_what_is_an_address_needs_no_quoting(text: str) -> None:
    if is_address(text):
        assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-_")


@given(IPV6)
def test_an_address_has_one_value_however_it_is_written(address: IPv6Address) -> None:
    written = {str(address), address.exploded, address.exploded.upper(), str(address).upper()}
    assert len({value(text) for text in written}) == 1


@given(IPV4)
def test_an_ipv4_address_is_the_same_when_mapped(address: IPv4Address) -> None:
    assert {value(f"::ffff:{address}"), value(f"::FFFF:{int(address) >> 16:x}:{int(address) & 0xFFFF:x}")} == {
        str(address)
    }


@given(IPV6, IPV6)
def test_different_addresses_have_different_values(one: IPv6Address, other: IPv6Address) -> None:
    assert (value(str(one)) == value(str(other))) == (one == other)


@pytest.mark.parametrize("text", ["gpu-01", "GPU-01.dc2.example.com", "a" * 63 + ".b", "a_b", "0a", "127.0.0.1", "::1"])
def test_what_a_host_may_be_called(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0.0.0.0", ("is the address of no single host", REACH)),  # noqa: S104
        ("255.255.255.255", ("is the address of no single host", REACH)),
        ("::", ("is the address of no single host", REACH)),
        ("0:0::0", ("is the address of no single host", REACH)),
        ("::ffff:0.0.0.0", ("is the address of no single host", REACH)),
        ("a..b", ("is not an address", "write one dot between the parts of a host name")),
        (
            "a" * 64 + ".b",
            ("is not an address", "each part of a host name, between dots, has at most 63 characters"),
        ),
        ("10.0.0.256", ("is not an address", "write an IP address or a host name")),
        ("010.0.0.1", ("is not an address", "write an IP address or a host name")),
        ("fe80::1%eth0", ("is not an address", "write an IP address or a host name")),
        ("a-", ("is not an address", "write an IP address or a host name")),
        (".".join(["a" * 50] * 5), ("is not an address", "write an IP address or a host name")),
    ],
)
def test_what_is_no_address_and_why(text: str, reason: tuple[str, str]) -> None:
    assert (is_address(text), why_not(text)) == (False, reason)
