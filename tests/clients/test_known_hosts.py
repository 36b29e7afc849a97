from __future__ import annotations

import base64
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.clients.knownhosts import KnownHosts, Verdict, fingerprint, read_known_hosts
from aamic.errors import OutsideError

KEY, OTHER = b"a key", b"another key"
TEXT = base64.b64encode(KEY).decode()


def verdict(line: str, hosts: tuple[str, ...] = ("gpu-1", "10.0.0.1"), port: int = 22, key: bytes = KEY) -> str:
    return KnownHosts(line.replace("KEY", TEXT)).verdict(hosts, port, key).value


@pytest.mark.parametrize(
    ("line", "port", "expected"),
    [
        ("gpu-1 ssh-ed25519 KEY", 22, "known"),
        ("10.0.0.1 ssh-ed25519 KEY a comment", 22, "known"),
        ("GPU-1,other ssh-ed25519 KEY", 22, "known"),
        ("  gpu-1\tssh-ed25519   KEY\r", 22, "known"),
        ("gpu-2 ssh-ed25519 KEY", 22, "unknown"),
        ("gpu-10 ssh-ed25519 KEY", 22, "unknown"),
        ("[gpu-1]:2222 ssh-ed25519 KEY", 2222, "known"),
        ("[gpu-1]:2222 ssh-ed25519 KEY", 22, "unknown"),
        ("[gpu-1]:2222 ssh-ed25519 KEY", 2223, "unknown"),
        ("gpu-1 ssh-ed25519 KEY", 2222, "known"),
        ("gpu-* ssh-ed25519 KEY", 22, "known"),
        ("gpu-? ssh-ed25519 KEY", 22, "known"),
        ("gpu-?? ssh-ed25519 KEY", 22, "unknown"),
        ("[gpu-*]:2222 ssh-ed25519 KEY", 2222, "known"),
        ("gpu-*,!gpu-1 ssh-ed25519 KEY", 22, "unknown"),
        ("gpu-*,!gpu-2 ssh-ed25519 KEY", 22, "known"),
        ("!gpu-2 ssh-ed25519 KEY", 22, "unknown"),
        ("gpu-[1-2] ssh-ed25519 KEY", 22, "unknown"),
        ("@revoked * ssh-ed25519 KEY", 22, "revoked"),
        ("gpu-1 ssh-ed25519 KEY\n@revoked 10.0.0.* ssh-ed25519 KEY", 22, "revoked"),
        ("gpu-1 ssh-ed25519 KEY\n@revoked gpu-2 ssh-ed25519 KEY", 22, "known"),
        ("@cert-authority * ssh-ed25519 KEY", 22, "unknown"),
        ("@strange gpu-1 ssh-ed25519 KEY", 22, "unknown"),
        ("# gpu-1 ssh-ed25519 KEY", 22, "unknown"),
        ("gpu-1 ssh-ed25519 not*base64", 22, "unknown"),
        ("gpu-1 ssh-ed25519", 22, "unknown"),
        ("|1|bad|worse ssh-ed25519 KEY", 22, "unknown"),
    ],
)
def test_a_line(line: str, port: int, expected: str) -> None:
    assert expected == verdict(line, port=port)


def test_a_host_with_another_key_is_not_taken_for_unknown() -> None:
    assert verdict("10.0.0.1 ssh-ed25519 KEY", key=OTHER) == "other"
    assert verdict("gpu-* ssh-ed25519 KEY", key=OTHER) == "other"
    assert verdict("[gpu-1]:2222 ssh-ed25519 KEY", port=2222, key=OTHER) == "other"


def test_one_of_several_keys_is_enough() -> None:
    keys = f"gpu-1 ssh-rsa {base64.b64encode(OTHER).decode()}\ngpu-1 ssh-ed25519 KEY"

    assert [verdict(keys, key=key) for key in (KEY, OTHER, b"third")] == ["known", "known", "other"]


def test_names_that_ssh_keygen_has_hashed(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    kind, text = (tmp_path / "key.pub").read_text().split()[:2]
    path.write_text(f"gpu-1 {kind} {text}\n[gpu-1]:2222 {kind} {text}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", path], check=True, capture_output=True)
    known, blob = read_known_hosts([path]), base64.b64decode(text)

    assert "gpu-1" not in path.read_text()
    assert known.verdict(["GPU-1"], 22, blob) == Verdict.KNOWN
    assert known.verdict(["gpu-1"], 2222, blob) == Verdict.KNOWN
    assert known.verdict(["gpu-2"], 22, blob) == Verdict.UNKNOWN
    assert known.verdict(["gpu-1"], 22, OTHER) == Verdict.OTHER
    assert known.key_types(["gpu-1"], 2222) == ("ssh-ed25519",)


def test_the_types_to_ask_a_host_for() -> None:
    lines = "[gpu-1]:2222 ssh-rsa KEY\ngpu-1 ecdsa-sha2-nistp256 KEY\ngpu-* ssh-ed25519 KEY".replace("KEY", TEXT)
    known = KnownHosts(lines)

    assert known.key_types(["gpu-1"], 2222) == ("ssh-rsa",)
    assert known.key_types(["gpu-1"], 22) == ("ecdsa-sha2-nistp256", "ssh-ed25519")
    assert known.key_types(["mon-1"], 22) == ()


def test_fingerprints_are_those_of_openssh(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    listed = subprocess.run(["ssh-keygen", "-l", "-f", tmp_path / "key"], check=True, capture_output=True, text=True)
    blob = base64.b64decode((tmp_path / "key.pub").read_text().split()[1])

    assert listed.stdout.split()[1] == fingerprint(blob)


def test_a_file_that_is_not_there_knows_nothing(tmp_path: Path) -> None:
    assert read_known_hosts([tmp_path / "none"]).verdict(["gpu-1"], 22, KEY) == Verdict.UNKNOWN


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(OutsideError, match="cannot be read: is a directory"):
        read_known_hosts([tmp_path])


def test_time_grows_with_lines_and_hosts_not_with_their_product() -> None:
    hosts = [f"gpu-{number}" for number in range(20_000)]
    start = time.process_time()
    known = KnownHosts("\n".join(f"{host} ssh-ed25519 {TEXT}" for host in hosts))
    verdicts = {known.verdict([host], 22, KEY) for host in hosts}

    assert verdicts == {Verdict.KNOWN}
    assert time.process_time() - start < 5  # measured: 0.1 s; lines times hosts would take minutes


PIECES = st.sampled_from(
    ["gpu-1", "*", "!", ",", "|1|", "|", "=", " ", "\n", "\t", "@revoked", "#", "ssh-rsa", TEXT, "["]
)


@given(st.lists(PIECES | st.text()).map("".join), st.integers(0, 70_000))
def test_no_text_is_too_strange(text: str, port: int) -> None:
    known = KnownHosts(text)

    assert known.verdict(["gpu-1"], port, KEY) in Verdict
    assert isinstance(known.key_types(["gpu-1", "10.0.0.1"], port), tuple)
