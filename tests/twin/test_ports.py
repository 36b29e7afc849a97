import contextlib
import socket

import pytest

from aamic.errors import OutsideError
from aamic.twin.ports import FIRST, LAST, reserved_ports

ADDRESSES = ("127.77.98.1", "127.77.98.2")


def test_ports_can_be_listened_on_at_each_address() -> None:
    with reserved_ports(3, ADDRESSES) as ports:
        assert len(set(ports)) == 3
        assert all(FIRST <= port < LAST for port in ports)
        for address in ADDRESSES:
            for port in ports:
                with socket.socket() as listener:
                    listener.bind((address, port))
                    listener.listen()


def test_two_twins_take_different_ports() -> None:
    with reserved_ports(5, ADDRESSES) as first, reserved_ports(5, ADDRESSES) as second:
        assert set(first).isdisjoint(second)


@pytest.mark.parametrize("address", ["", ADDRESSES[1]])
def test_a_port_that_something_listens_on_is_passed_over(address: str) -> None:
    with socket.socket() as other:
        taken = listen_on_a_free_port(other, address)
        with reserved_ports(1, ADDRESSES) as (port,):
            assert port != taken


def listen_on_a_free_port(listener: socket.socket, address: str) -> int:
    """Listen on a port that a twin would take; other programs of this machine may take it first, so try again."""
    for _ in range(20):
        with reserved_ports(1, ADDRESSES) as (free,):
            pass
        with contextlib.suppress(OSError):
            listener.bind((address, free))
            listener.listen()
            return free
    pytest.fail("no port stays free")


def test_too_many_are_an_error() -> None:
    with pytest.raises(OutsideError, match="ports between 21000 and 32000 are free"), reserved_ports(20_000, ()):
        pytest.fail("there are not so many")
