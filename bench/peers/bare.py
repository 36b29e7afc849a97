"""The limit: every host is logged in to and one command is run there, by Fabric or asyncssh, tuned; nothing else.

Usage: python bare.py fabric|asyncssh ORDER

ORDER is JSON: `port`, `key` (a file), `hosts` (pairs of address and public key), `command`, `input` (a file or null),
`parallel`. Tuned: keys are read once, each connection knows one host key, AES-GCM, no agent, no other keys are looked
for, one channel.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any


def by_fabric(order: dict[str, Any], payload: bytes) -> None:
    from fabric import Config, Connection  # noqa: PLC0415  # each interpreter has but one of the libraries
    from paramiko import Ed25519Key, RejectPolicy, SSHConfig, Transport  # noqa: PLC0415

    key = Ed25519Key.from_private_key_file(order["key"])
    config = Config(lazy=True, ssh_config=SSHConfig())
    building = threading.Lock()

    def transport(sock: Any, **options: Any) -> Transport:
        made = Transport(sock, **options)
        made.get_security_options().ciphers = ("aes128-gcm@openssh.com",)
        return made

    def visit(host: tuple[str, str]) -> None:
        address, known = host
        with building:  # a lazy Config is not thread-safe
            connection = Connection(address, user="root", port=order["port"], config=config)
        name = f"[{address}]:{order['port']}"
        host_key = Ed25519Key(data=base64.b64decode(known.split()[1]))
        connection.client.get_host_keys().add(name, host_key.get_name(), host_key)
        connection.client.set_missing_host_key_policy(RejectPolicy())
        connection.connect_kwargs = {
            "pkey": key, "allow_agent": False, "look_for_keys": False, "transport_factory": transport,
        }  # fmt: skip
        connection.open()
        channel = connection.transport.open_session()
        channel.exec_command(order["command"])
        if payload:
            channel.sendall(payload)
        channel.shutdown_write()
        while channel.recv(1 << 16):
            pass
        if channel.recv_exit_status():
            raise SystemExit(f"the command failed on {address}")
        connection.close()

    with ThreadPoolExecutor(order["parallel"]) as pool:
        list(pool.map(visit, order["hosts"]))


def by_asyncssh(order: dict[str, Any], payload: bytes) -> None:
    import asyncssh  # noqa: PLC0415  # as above

    key = asyncssh.read_private_key(order["key"])
    options: dict[str, Any] = {
        "username": "root", "client_keys": [key], "agent_path": None, "config": None,
        "encryption_algs": ["aes128-gcm@openssh.com"], "kex_algs": ["curve25519-sha256"],
        "server_host_key_algs": ["ssh-ed25519"], "compression_algs": ["none"],
    }  # fmt: skip

    async def visit(gate: asyncio.Semaphore, host: tuple[str, str]) -> None:
        address, known = host
        keys = ([asyncssh.import_public_key(known)], [], [])
        async with gate, asyncssh.connect(address, order["port"], known_hosts=keys, **options) as connection:
            done = await connection.run(order["command"], input=payload or None, encoding=None)
            if done.exit_status:
                raise SystemExit(f"the command failed on {address}: {done.stderr!r}")

    async def visit_all() -> None:
        gate = asyncio.Semaphore(order["parallel"])
        await asyncio.gather(*(visit(gate, host) for host in order["hosts"]))

    asyncio.run(visit_all())


if __name__ == "__main__":
    ORDER = json.loads(Path(sys.argv[2]).read_text())
    PAYLOAD = Path(ORDER["input"]).read_bytes() if ORDER["input"] else b""
    {"fabric": by_fabric, "asyncssh": by_asyncssh}[sys.argv[1]](ORDER, PAYLOAD)
