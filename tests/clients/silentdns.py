"""A program: ask a cluster by a name, in a network whose name server never answers; prints state, words and seconds."""

import socket
import time
from pathlib import Path

from aamic.clients.cluster import open_aami
from aamic.errors import RemoteError
from tests.clients.peers import cluster


def main() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 53))
        remote = open_aami(cluster("https://busan.example", 0.5), Path())
        start = time.monotonic()
        try:
            remote.ping()
        except RemoteError as error:
            print(error.state, "|", error, "|", time.monotonic() - start < 3)  # noqa: T201


if __name__ == "__main__":
    main()
