"""The SSH client against a real sshd on loopback."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fabric import Config
from paramiko import SSHConfig

from aamic.clients.knownhosts import fingerprint
from aamic.clients.ssh import SshHosts
from aamic.clients.sshconnect import Connector, SharingConnection
from aamic.clients.sshprogram import open_channel, run_program
from aamic.deploy.fanout import spread
from aamic.errors import HostError, OutsideError
from aamic.model.fleet import Node, SshSettings
from tests.fleet.sshd import USER, Sshd, can_serve, make_key, sshd

pytestmark = pytest.mark.skipif(not can_serve(), reason="needs root, sshd and unshare")
WORDS = "some words"
KINDS = ("ed25519", "ecdsa", "rsa")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd"), "127.0.0.17", kinds=KINDS) as running:
        yield running


@pytest.fixture(autouse=True)
def no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@dataclass
class Site:
    """A site of one host, `gpu-1`, whose folder is `folder`; `known` is its known_hosts, `config` its ssh config."""

    folder: Path
    server: Sshd
    known: str = ""
    config: str = ""
    pauses: list[float] = field(default_factory=list)

    @contextmanager
    def hosts(self, node: dict[str, Any] | None = None, **settings: Any) -> Iterator[SshHosts]:
        (self.folder / "known_hosts").write_text(self.known)
        (self.folder / "config").write_text(self.config)
        one = Node("gpu-1", self.server.address, None, None, {}, ssh_user=USER, ssh_port=self.server.port)
        values: dict[str, Any] = {
            "key": str(self.server.key),
            "known_hosts": "known_hosts",
            "config": "config",
            "connect_timeout": 5.0,
            "max_attempts": 1,
        }
        hosts = SshHosts(
            {"gpu-1": replace(one, **(node or {}))},
            SshSettings(**(values | settings)),
            self.folder,
            sleep=self.pauses.append,
        )
        try:
            yield hosts
        finally:
            hosts.close()

    def run(self, *command: str, node: dict[str, Any] | None = None, **settings: Any) -> tuple[int, bytes, bytes]:
        with self.hosts(node, **settings) as hosts:
            answer = hosts.run("gpu-1", command or ("echo", "here"), (), 20)
            return answer.status, answer.output, answer.errors

    def failure(self, *command: str, node: dict[str, Any] | None = None, **settings: Any) -> HostError:
        with pytest.raises(HostError) as caught:
            self.run(*command, node=node, **settings)
        return caught.value


@pytest.fixture
def site(tmp_path: Path, server: Sshd) -> Site:
    return Site(tmp_path, server, server.line())


HERE = (0, b"here\n", b"")


def test_a_known_host_runs_a_program(site: Site) -> None:
    assert site.run() == HERE


def test_status_and_both_outputs_are_told_apart(site: Site) -> None:
    assert site.run("sh", "-c", "echo out; echo err >&2; exit 42") == (42, b"out\n", b"err\n")


def test_arguments_arrive_as_they_are(site: Site) -> None:
    strange = ["a b", "$HOME", "`id`", "'", '"', "\\", "", "*", "\n", "é", "; false"]

    assert site.run("printf", "%s|", *strange) == (0, "".join(f"{word}|" for word in strange).encode(), b"")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["gpu-1", "[gpu-1]:{port}", "[{address}]:{port}", "[127.0.0.*]:{port}", "{address}"])
def test_a_host_is_known_by_name_or_address_and_by_any_of_its_keys(site: Site, kind: str, name: str) -> None:
    site.known = site.server.line(name.format(address=site.server.address, port=site.server.port), kind)

    assert site.run() == HERE


def test_hashed_names_are_known(site: Site) -> None:
    path = site.folder / "hashed"
    path.write_text(site.server.line(kind="rsa") + site.server.line("other", "ed25519"))
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", path], check=True, capture_output=True)

    assert site.run(known_hosts="hashed") == HERE


def test_an_unknown_host_is_refused_and_the_hint_is_what_adds_it(site: Site) -> None:
    site.known = ""
    failure = site.failure()
    shown = fingerprint(base64.b64decode(site.server.public().split()[1]))
    assert failure.hint is not None
    command = failure.hint.split("`")[1]

    assert failure.kind == "unknown-key"
    assert str(failure) == (
        f"the host key of `gpu-1` (127.0.0.17 port {site.server.port}) is not known: it shows ssh-ed25519 {shown}"
    )
    assert command == f"ssh-keyscan -t ed25519 -p {site.server.port} 127.0.0.17 >> {site.folder}/known_hosts"
    assert shown in failure.hint
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    site.known = (site.folder / "known_hosts").read_text()
    assert site.run() == HERE


@pytest.mark.parametrize("name", ["{exact}", "[127.0.0.*]:*", "[gpu-1]:{port}"])
def test_another_key_than_the_known_one_is_refused(site: Site, tmp_path: Path, name: str) -> None:
    exact = f"[{site.server.address}]:{site.server.port}"
    other = make_key(tmp_path / "other").with_suffix(".pub").read_text()
    site.known = f"{name.format(exact=exact, port=site.server.port)} {other}"
    failure = site.failure()

    assert failure.kind == "wrong-key"
    assert "is not the one that is known" in str(failure)


def test_a_revoked_key_is_refused(site: Site) -> None:
    site.known += f"@revoked * {site.server.public()}\n"

    assert (site.failure().kind, "is revoked" in str(site.failure())) == ("wrong-key", True)


def test_nobody_logs_in_where_the_key_is_not_right(site: Site) -> None:
    before = site.server.logins()
    site.known = ""
    site.failure()

    assert site.server.logins() == before


def test_a_user_who_does_not_exist(site: Site) -> None:
    failure = site.failure(node={"ssh_user": "nobody-here"}, become="none")

    assert failure.kind == "refused"
    assert str(failure) == (
        f"`gpu-1` (127.0.0.17 port {site.server.port}) refused user `nobody-here`: "
        f"tried key `{site.server.key}`; the host takes publickey"
    )
    assert "~nobody-here/.ssh/authorized_keys" in str(failure.hint)
    assert site.pauses == []


def test_a_key_that_the_host_does_not_take(site: Site) -> None:
    other = make_key(site.folder / "other")

    assert (site.failure(key="other").kind, f"tried key `{other}`" in str(site.failure(key="other"))) == (
        "refused",
        True,
    )


def test_a_server_that_takes_passwords_only(tmp_path: Path) -> None:
    with sshd(tmp_path / "sshd", "127.0.0.18", "PasswordAuthentication yes\nPubkeyAuthentication no\n") as strict:
        failure = Site(tmp_path, strict, strict.line()).failure()

    assert failure.kind == "refused"
    assert str(failure).endswith("; the host takes password")


def test_a_server_without_fast_algorithms(tmp_path: Path) -> None:
    slow = "Ciphers aes256-ctr\nKexAlgorithms diffie-hellman-group14-sha256\nMACs hmac-sha2-512\n"
    with sshd(tmp_path / "sshd", "127.0.0.18", slow) as old:
        assert Site(tmp_path, old, old.line()).run() == HERE


def test_a_server_that_speaks_nothing_we_do(tmp_path: Path) -> None:
    with sshd(tmp_path / "sshd", "127.0.0.18", "Ciphers chacha20-poly1305@openssh.com\n") as odd:
        one = Site(tmp_path, odd, odd.line())
        failure = one.failure(max_attempts=3)

    assert (failure.kind, one.pauses) == ("unreachable", [])


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.17", 0))
        port: int = probe.getsockname()[1]
        return port


def test_tries_are_counted_and_their_pauses_grow(site: Site) -> None:
    port = closed_port()
    failure = site.failure(node={"ssh_port": port}, max_attempts=4, backoff_base=2.0, backoff_max=5.0)

    assert failure.kind == "unreachable"
    assert str(failure) == f"`gpu-1` (127.0.0.17 port {port}) is unreachable: connection refused, 4 tries"
    assert [
        low <= pause <= high for pause, (low, high) in zip(site.pauses, [(1, 2), (2, 4), (2.5, 5)], strict=True)
    ] == [True] * 3


def test_a_server_that_never_answers(site: Site) -> None:
    with socket.create_server(("127.0.0.17", 0)) as silent:
        failure = site.failure(node={"ssh_port": silent.getsockname()[1]}, connect_timeout=0.3, max_attempts=2)

    assert failure.kind == "unreachable"
    assert "2 tries" in str(failure)


def hang_up(server: socket.socket) -> None:
    server.accept()[0].close()


def test_a_server_that_hangs_up(site: Site) -> None:
    with socket.create_server(("127.0.0.17", 0)) as rude:
        threading.Thread(target=hang_up, args=(rude,), daemon=True).start()
        failure = site.failure(node={"ssh_port": rude.getsockname()[1]})

    assert failure.kind == "unreachable"


def test_a_name_that_does_not_resolve(site: Site) -> None:
    failure = site.failure(node={"address": "gpu-1.invalid"})

    assert (failure.kind, "its name does not resolve" in str(failure)) == ("unreachable", True)


def test_much_input_and_output_at_once(site: Site) -> None:
    payload = [bytes([number]) * 50_000 for number in range(100)]
    with site.hosts() as hosts:
        answer = hosts.run("gpu-1", ["sh", "-c", "tee /dev/stderr"], payload, 60)

    assert (answer.status, answer.output, answer.errors) == (0, b"".join(payload), b"".join(payload))


def test_input_of_many_parts_arrives_whole_and_in_order(site: Site) -> None:
    parts = [bytes([65 + number % 26]) * size for number, size in enumerate((1, 0, 31_998, 1, 1, 32_000, 7, 90_000, 5))]

    with site.hosts() as hosts:
        answer = hosts.run("gpu-1", ["cat"], parts, 20)

    assert answer.output == b"".join(parts)


def test_a_program_that_writes_much_before_it_reads(site: Site) -> None:
    program = "head -c 5000000 /dev/zero; head -c 3000000 /dev/zero >&2; wc -c"
    with site.hosts() as hosts:
        answer = hosts.run("gpu-1", ["sh", "-c", program], [b"x" * 5_000_000], 60)

    assert (len(answer.output), len(answer.errors), answer.output[-8:]) == (5_000_008, 3_000_000, b"5000000\n")


def test_a_program_that_does_not_read_its_input(site: Site) -> None:
    with site.hosts() as hosts:
        answer = hosts.run("gpu-1", ["sh", "-c", "exit 7"], [b"x" * 9_000_000], 60)

    assert answer.status == 7


def test_a_program_that_is_too_slow(site: Site) -> None:
    start = time.monotonic()
    with site.hosts() as hosts, pytest.raises(HostError) as caught:
        hosts.run("gpu-1", ["sleep", "20"], (), 0.5)

    assert caught.value.kind == "timeout"
    assert "did not end within 0.5 s; it may be running still" in str(caught.value)
    assert time.monotonic() - start < 10


def waits(path: Path) -> Callable[[], None]:
    """Wait until a program has said that it runs."""

    def wait() -> None:
        for _ in range(500):
            if path.exists():
                return
            time.sleep(0.01)
        raise AssertionError(path)

    return wait


def test_a_connection_that_breaks_while_a_program_runs_is_lost_and_nothing_is_run_again(site: Site) -> None:
    marks = site.folder / "marks"
    with ThreadPoolExecutor(1) as pool, site.hosts(max_attempts=3) as hosts:
        running = pool.submit(hosts.run, "gpu-1", ["sh", "-c", f"echo run >> {marks}; sleep 20"], (), 30)
        waits(marks)()
        assert site.server.kill_sessions() >= 1
        failure = running.exception(timeout=20)

    assert isinstance(failure, HostError)
    assert failure.kind == "lost"
    assert "the connection broke while the program ran" in str(failure)
    assert marks.read_text() == "run\n"
    assert site.pauses == []


def test_a_program_that_is_killed_has_no_known_outcome(site: Site) -> None:
    failure = site.failure("exec", "sh", "-c", "kill -9 $$")

    assert (failure.kind, "was killed by a signal" in str(failure)) == ("lost", True)


def test_a_second_call_uses_the_same_connection(site: Site) -> None:
    before = site.server.logins()
    with site.hosts() as hosts:
        answers = [hosts.run("gpu-1", ["echo", word], (), 20).output for word in "abc"]

    assert answers == [b"a\n", b"b\n", b"c\n"]
    assert site.server.logins() == before + 1


def test_a_kept_connection_that_died_is_made_again(site: Site) -> None:
    before = site.server.logins()
    with site.hosts() as hosts:
        hosts.run("gpu-1", ["true"], (), 20)
        assert site.server.kill_sessions() >= 1
        answer = hosts.run("gpu-1", ["echo", "again"], (), 20)

    assert answer.output == b"again\n"
    assert site.server.logins() == before + 2


def test_only_so_many_connections_are_kept(tmp_path: Path, server: Sshd) -> None:
    (tmp_path / "known").write_text(server.line("gpu-*"))
    nodes = {
        name: Node(name, server.address, None, None, {}, ssh_user=USER, ssh_port=server.port)
        for name in ("gpu-1", "gpu-2", "gpu-3")
    }
    before = server.logins()
    hosts = SshHosts(nodes, SshSettings(key=str(server.key), known_hosts="known", config=None), tmp_path, kept=2)
    try:
        for name in ("gpu-1", "gpu-2", "gpu-3", "gpu-2", "gpu-3", "gpu-1"):
            hosts.run(name, ["true"], (), 20)
    finally:
        hosts.close()

    assert server.logins() == before + 4


def test_many_threads(tmp_path: Path, server: Sshd) -> None:
    names = [f"gpu-{number}" for number in range(20)]
    (tmp_path / "known").write_text(server.line("gpu-*"))
    nodes = {name: Node(name, server.address, None, None, {}, ssh_user=USER, ssh_port=server.port) for name in names}
    hosts = SshHosts(nodes, SshSettings(key=str(server.key), known_hosts="known", config=None), tmp_path)
    try:
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda name: hosts.run(name, ["echo", name], (), 60).output, names))
    finally:
        hosts.close()

    assert answers == [f"{name}\n".encode() for name in names]


def test_a_connection_that_is_made_does_not_touch_the_configuration_of_others() -> None:
    config = Config(lazy=True, ssh_config=SSHConfig())

    made = SharingConnection("gpu-1", config=config, gateway=False, inline_ssh_env=False)

    assert (made.inline_ssh_env, config.inline_ssh_env) == (False, True)


def test_the_site_wins_over_the_ssh_config(site: Site) -> None:
    site.config = "Host gpu-1\n  Port 1\n  User nobody-here\n  HostName 127.0.0.99\n"

    assert site.run() == HERE


@pytest.mark.parametrize("pattern", ["gpu-1", "127.0.0.17", "*"])
def test_the_ssh_config_fills_in_what_the_site_leaves_open(site: Site, pattern: str) -> None:
    site.config = f"Host {pattern}\n  Port {site.server.port}\n  User {USER}\n  IdentityFile {site.server.key}\n"

    assert site.run(node={"ssh_user": None, "ssh_port": None}, key=None) == HERE


def test_the_ssh_config_knows_the_address_where_the_site_gives_none(site: Site) -> None:
    site.config = f"Host gpu-1\n  HostName {site.server.address}\n"

    assert site.run(node={"address": "gpu-1"}) == HERE


def test_the_ssh_config_can_be_ignored(site: Site) -> None:
    site.config = "Host gpu-1\n  ProxyJump nowhere.invalid\n"

    assert site.failure().kind == "unreachable"
    assert site.run(config=None) == HERE


@pytest.fixture
def gate(tmp_path: Path, server: Sshd) -> Iterator[Sshd]:
    with sshd(tmp_path / "gate", "127.0.0.19") as running:
        (running.folder / "authorized_keys").write_text((server.folder / "client.pub").read_text())
        yield running


def test_a_jump_host_of_the_site(site: Site, gate: Sshd) -> None:
    site.known += gate.line()

    assert site.run(gateway=f"{USER}@127.0.0.19:{gate.port}") == HERE
    assert gate.logins() == 1


def test_much_goes_over_a_jump_host_both_ways(site: Site, gate: Sshd) -> None:
    site.known += gate.line()
    with site.hosts(gateway=f"{USER}@127.0.0.19:{gate.port}") as hosts:
        answer = hosts.run("gpu-1", ["cat"], [b"x" * 5_000_000], 60)

    assert answer.output == b"x" * 5_000_000


def test_a_jump_host_of_the_ssh_config(site: Site, gate: Sshd) -> None:
    site.known += gate.line("gate")
    site.config = f"""
Host gate
  HostName 127.0.0.19
  Port {gate.port}
Host gpu-1
  ProxyJump {USER}@gate
"""

    assert site.run() == HERE
    assert gate.logins() == 1


def test_a_proxy_command_is_refused_rather_than_passed_over(site: Site) -> None:
    site.config = "Host gpu-1\n  ProxyCommand ssh -W %h:%p gate\n"
    failure = site.failure(max_attempts=3)

    assert (failure.kind, "ProxyCommand" in str(failure), site.pauses) == ("unreachable", True, [])
    assert site.failure(gateway=f"{USER}@127.0.0.17:{closed_port()}").kind == "unreachable"


def test_a_jump_host_is_shared(tmp_path: Path, server: Sshd, gate: Sshd) -> None:
    (tmp_path / "known").write_text(server.line("gpu-*") + gate.line())
    nodes = {
        name: Node(name, server.address, None, None, {}, ssh_user=USER, ssh_port=server.port)
        for name in ("gpu-1", "gpu-2", "gpu-3")
    }
    settings = SshSettings(
        key=str(server.key), known_hosts="known", config=None, gateway=f"{USER}@127.0.0.19:{gate.port}"
    )
    hosts = SshHosts(nodes, settings, tmp_path)
    try:
        with ThreadPoolExecutor(3) as pool:
            statuses = list(pool.map(lambda name: hosts.run(name, ["true"], (), 60).status, nodes))
    finally:
        hosts.close()

    assert statuses == [0, 0, 0]
    assert gate.logins() == 1


def test_the_key_of_a_jump_host_is_verified_too(site: Site, gate: Sshd) -> None:
    failure = site.failure(gateway=f"{USER}@127.0.0.19:{gate.port}")

    assert failure.kind == "unknown-key"
    assert f"`127.0.0.19` (port {gate.port})" in str(failure)
    assert gate.logins() == 0


def test_a_host_behind_a_jump_host_that_is_not_there(site: Site, gate: Sshd) -> None:
    site.known += gate.line()
    failure = site.failure(node={"ssh_port": closed_port()}, gateway=f"{USER}@127.0.0.19:{gate.port}")

    assert (failure.kind, "`gpu-1`" in str(failure)) == ("unreachable", True)


@contextmanager
def agent(folder: Path, monkeypatch: pytest.MonkeyPatch, *keys: Path, passphrase: str = "") -> Iterator[None]:
    path = folder / "agent"
    child = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "--", "ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL
    )
    try:
        waits(path)()
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        answers = folder / "askpass"
        answers.write_text(f"#!/bin/sh\necho {passphrase}\n")
        answers.chmod(0o700)
        environment = {**os.environ, "SSH_ASKPASS": str(answers), "SSH_ASKPASS_REQUIRE": "force"}
        subprocess.run(["ssh-add", "-q", *keys], check=True, env=environment)
        yield
    finally:
        child.kill()
        child.wait()


def test_an_agent_is_asked_where_there_is_no_key(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with agent(site.folder, monkeypatch, site.server.key):
        assert site.run(key=None) == HERE


def test_an_agent_is_not_asked_where_the_site_does_not_want_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(site.folder))
    with agent(site.folder, monkeypatch, site.server.key):
        failure = site.failure(key=None, agent=False)

    assert (failure.kind, "tried nothing" in str(failure)) == ("refused", True)


def test_a_protected_key_is_used_by_the_agent_first_of_all_its_keys(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    others = [make_key(tmp_path / f"other-{number}") for number in range(8)]
    key = make_key(tmp_path / "protected", passphrase=WORDS)
    with (site.server.folder / "authorized_keys").open("a") as file:
        file.write((tmp_path / "protected.pub").read_text())
    with agent(site.folder, monkeypatch, *others, key, passphrase=WORDS):
        assert site.run(key=str(key)) == HERE


def test_a_protected_key_without_an_agent(site: Site) -> None:
    make_key(site.folder / "protected", passphrase=WORDS)
    with pytest.raises(OutsideError, match="is protected by a passphrase") as caught, site.hosts(key="protected"):
        pass

    assert caught.value.hint == f"`ssh-add {site.folder}/protected` gives it to an agent"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"key": "nowhere"}, "the key `{folder}/nowhere` cannot be read: no such file or directory"),
        ({"key": "config"}, "the key `{folder}/config` is not a private key of a type that is supported"),
        (
            {"config": "nowhere"},
            "the OpenSSH configuration `{folder}/nowhere` cannot be read: no such file or directory",
        ),
        ({"known_hosts": "."}, "the known host keys in `{folder}` cannot be read: is a directory"),
        ({"key": "~nobody-here/key"}, "`~nobody-here/key` names the home folder of a user that does not exist"),
    ],
)
def test_files_that_are_not_there_are_told_at_once(site: Site, settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(OutsideError) as caught, site.hosts(**settings):
        pass

    assert str(caught.value) == expected.format(folder=site.folder)


def test_an_ssh_config_that_makes_no_sense(site: Site) -> None:
    site.config = "Host gpu-1\n  Port many\n"

    assert "the OpenSSH configuration of `gpu-1` cannot be used" in str(site.failure(node={"ssh_port": None}))


def test_rsa_and_ecdsa_keys_log_in(site: Site) -> None:
    for kind in ("rsa", "ecdsa"):
        key = make_key(site.folder / kind, kind)
        with (site.server.folder / "authorized_keys").open("a") as file:
            file.write(key.with_suffix(".pub").read_text())

        assert site.run(key=kind) == HERE


def test_nothing_is_printed_and_no_thread_stays(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    site.run()
    site.known = ""
    site.failure()
    site.failure(node={"ssh_port": closed_port()})
    for _ in range(100):
        left = [thread for thread in threading.enumerate() if type(thread).__name__ == "Transport"]
        if not left:
            break
        time.sleep(0.05)

    assert capfd.readouterr() == ("", "")
    assert left == []


def test_a_jump_host_does_not_jump_over_itself(site: Site) -> None:
    site.config = "Host *\n  ProxyJump loop\nHost loop\n  HostName 127.0.0.17\n"

    assert site.run(gateway=f"127.0.0.17:{site.server.port}") == HERE
    assert site.failure().kind == "unreachable"


def test_a_jump_host_that_goes_away_is_told_and_found_again(
    site: Site, gate: Sshd, capfd: pytest.CaptureFixture[str]
) -> None:
    site.known += gate.line()
    mark = site.folder / "mark"
    with ThreadPoolExecutor(1) as pool, site.hosts(gateway=f"{USER}@127.0.0.19:{gate.port}") as hosts:
        running = pool.submit(hosts.run, "gpu-1", ["sh", "-c", f"touch {mark}; sleep 20"], (), 30)
        waits(mark)()
        assert gate.kill_sessions() >= 1
        failure = running.exception(timeout=20)
        answer = hosts.run("gpu-1", ["echo", "here"], (), 20)

    assert isinstance(failure, HostError)
    assert (failure.kind, answer.output) == ("lost", b"here\n")
    assert capfd.readouterr() == ("", "")


def test_a_host_that_does_not_judge_a_key_in_time_is_too_slow_not_refusing(tmp_path: Path) -> None:
    slow = "AuthorizedKeysCommand /usr/bin/sleep 3\nAuthorizedKeysCommandUser root\nAuthorizedKeysFile none\n"
    with sshd(tmp_path / "sshd", "127.0.0.18", slow) as server:
        one = Site(tmp_path, server, server.line())
        failure = one.failure(connect_timeout=0.7, max_attempts=2)

    assert (failure.kind, str(failure)) == (
        "unreachable",
        f"`gpu-1` (127.0.0.18 port {server.port}) is unreachable: timed out, 2 tries",
    )


def test_a_banner_cannot_write_to_the_terminal(site: Site) -> None:
    with socket.create_server(("127.0.0.17", 0)) as odd:
        threading.Thread(target=answer, args=(odd, b"\x1b[31mHTTP/1.1 400 no\r\n" * 30), daemon=True).start()
        failure = site.failure(node={"ssh_port": odd.getsockname()[1]})

    assert failure.kind == "unreachable"
    assert str(failure).isprintable()


def answer(server: socket.socket, text: bytes) -> None:
    with server.accept()[0] as connection:
        connection.sendall(text)
        connection.recv(100)


def echo(hosts: SshHosts, host: str) -> bytes:
    return hosts.run(host, ["echo", host], (), 60).output


def test_processes_have_clients_of_their_own(tmp_path: Path, server: Sshd) -> None:
    (tmp_path / "known").write_text(server.line("gpu-*"))
    nodes = {
        name: Node(name, server.address, None, None, {}, ssh_user=USER, ssh_port=server.port)
        for name in ("gpu-1", "gpu-2", "gpu-3")
    }
    settings = SshSettings(key=str(server.key), known_hosts="known", config=None)
    results = spread(tuple(nodes), partial(SshHosts, nodes, settings, tmp_path), echo, 4, 2)

    assert results == {name: f"{name}\n".encode() for name in nodes}


SUDO = {
    "ops": "ops ALL=(root) NOPASSWD: ALL\n",
    "asked": "asked ALL=(root) ALL\n",
    "stranger": "",
    "narrow": "narrow ALL=(root) NOPASSWD: /usr/bin/id\n",
    "seated": "Defaults:seated requiretty\nseated ALL=(root) NOPASSWD: ALL\n",
}


@pytest.fixture(scope="module")
def with_sudo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    if shutil.which("sudo") is None:
        pytest.skip("sudo is not installed")
    folder = tmp_path_factory.mktemp("sudo")
    # sshd reads the keys of these users with their rights, and this folder is root's.
    keys = f"AuthorizedKeysCommand /usr/bin/cat {folder}/authorized_keys\nAuthorizedKeysCommandUser root\n"
    with sshd(folder, "127.0.0.20", keys, users=SUDO) as running:
        yield running


def test_a_user_becomes_root_and_the_program_has_its_input(tmp_path: Path, with_sudo: Sshd) -> None:
    site = Site(tmp_path, with_sudo, with_sudo.line())
    with site.hosts(node={"ssh_user": "ops"}) as hosts:
        answer = hosts.run("gpu-1", ["sh", "-c", "id -u; cat; exit 3"], [b"input"], 20)

    assert (answer.status, answer.output, answer.errors) == (3, b"0\ninput", b"")


def test_a_user_stays_one_where_the_site_wants_no_sudo(tmp_path: Path, with_sudo: Sshd) -> None:
    site = Site(tmp_path, with_sudo, with_sudo.line())

    assert site.run("id", "-un", node={"ssh_user": "ops"}, become="none") == (0, b"ops\n", b"")


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("asked", "sudo asks for a password"),
        ("stranger", "sudo asks for a password"),
        ("narrow", "sudo asks for a password"),
        ("seated", "sudo wants a terminal"),
    ],
)
def test_a_user_who_may_not_become_root(tmp_path: Path, with_sudo: Sshd, user: str, expected: str) -> None:
    mark = tmp_path / "mark"
    failure = Site(tmp_path, with_sudo, with_sudo.line()).failure("touch", str(mark), node={"ssh_user": user})

    assert failure.kind == "no-right"
    assert str(failure) == (
        f"user `{user}` cannot become root on `gpu-1` (127.0.0.20 port {with_sudo.port}): {expected}"
    )
    assert not mark.exists()


def test_a_kept_connection_that_is_silent_is_made_again(site: Site) -> None:
    with site.hosts(connect_timeout=1.0) as hosts:
        hosts.run("gpu-1", ["true"], (), 20)
        assert site.server.stop_sessions() >= 1
        answer = hosts.run("gpu-1", ["echo", "again"], (), 20)
    site.server.kill_sessions()

    assert answer.output == b"again\n"


def test_a_host_that_falls_silent_when_it_is_asked_for_a_program(site: Site) -> None:
    node = Node("gpu-1", site.server.address, None, None, {}, ssh_user=USER, ssh_port=site.server.port)
    (site.folder / "known").write_text(site.known)
    settings = SshSettings(key=str(site.server.key), known_hosts="known", config=None)
    session = Connector(settings, site.folder, time.sleep).connect(node)
    channel = open_channel(session.transport, 5)
    assert site.server.stop_sessions() >= 1
    try:
        with pytest.raises(HostError) as caught:
            run_program(channel, session.target, "true", (), 0.5)
    finally:
        session.close()
        site.server.kill_sessions()

    assert caught.value.kind == "timeout"
