"""Measures `aamic serve`: 200 readers at once, over TLS, with a real Prometheus behind it. Prints, judges nothing.

Run it as `.venv/bin/python bench/serve.py [READERS] [SECONDS]` at the root of the repository.
"""

from __future__ import annotations

import socket
import ssl
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.serve.process import prometheus, serving, write_config
from tests.serve.server import KEY
from tests.serve.test_tls import client_context, files

PATHS = ("ping", "status", "nodes", "metrics")


def reader(port: int, path: str, tls: ssl.SSLContext, until: float, spent: list[float]) -> None:
    """Ask again and again over one connection, as a client that keeps it does."""
    request = f"GET /api/v1/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode()
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
        tls.wrap_socket(plain, server_hostname="localhost") as connection,
        connection.makefile("rb") as answers,
    ):
        while time.monotonic() < until:
            began = time.monotonic()
            connection.sendall(request)
            if (status := answers.readline().split()[1]) != b"200":
                raise RuntimeError(status.decode())
            length = 0
            while (line := answers.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            answers.read(length)
            spent.append(time.monotonic() - began)


def measure(port: int, path: str, readers: int, seconds: float) -> str:
    """One line about one path."""
    spent: list[float] = []
    tls, until = client_context(), time.monotonic() + seconds
    threads = [threading.Thread(target=reader, args=(port, path, tls, until, spent)) for _ in range(readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    centiles = statistics.quantiles(spent, n=100)
    return (
        f"{path:8} {len(spent) / seconds:8.0f} answers/s   "
        f"median {centiles[49] * 1000:6.1f} ms   99 % within {centiles[98] * 1000:7.1f} ms"
    )


def main() -> None:
    readers, seconds = (float(word) for word in (*sys.argv[1:], *("200", "10")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as name, prometheus(Path(name)) as (url, _):
        tls = files(Path(name)).model_dump()
        config = write_config(Path(name), url, tls=tls)
        began = time.monotonic()
        with serving("--config", str(config)) as server:
            print(f"started in {time.monotonic() - began:.2f} s; {readers:g} readers over TLS for {seconds:g} s each")
            for path in PATHS:
                print(measure(server.port, path, int(readers), seconds))


if __name__ == "__main__":
    main()
