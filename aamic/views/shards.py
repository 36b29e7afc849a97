"""The Prometheus servers of a fleet as a table for people and as JSON."""

from __future__ import annotations

from typing import Any, Final

from aamic.model.fleet import Fleet, Server

_GIB: Final = 1024**3
_COLUMNS: Final = (
    ("shard", "left"),
    ("host", "left"),
    ("nodes", "right"),
    ("racks", "right"),
    ("series", "right"),
    ("samples/s", "right"),
    ("RAM", "right"),
    ("disk", "right"),
)


def table(fleet: Fleet) -> str:
    """A table of the servers, one line each; predicted figures."""
    rows = [[name for name, _ in _COLUMNS], *(_cells(fleet, server) for server in fleet.servers)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = ["  ".join(_pad(cell, width, side) for cell, width, (_, side) in _zip(row, widths)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _zip(row: list[str], widths: list[int]) -> Any:
    return zip(row, widths, _COLUMNS, strict=True)


def _pad(cell: str, width: int, side: str) -> str:
    return cell.rjust(width) if side == "right" else cell.ljust(width)


def _cells(fleet: Fleet, server: Server) -> list[str]:
    load = server.load
    return [
        f"{server.name}/{server.replica}" if server.replica else server.name,
        f"{server.host}:{server.port}",
        f"{len(server.nodes):,}" if server.role != "central" else f"({len(fleet.nodes):,})",
        f"{len(server.racks):,}" if server.role != "central" else "",
        f"{load.series:,}",
        f"{load.samples_per_second:,.0f}",
        of_total(load.memory, fleet.nodes[server.host].memory),
        of_total(load.disk, fleet.nodes[server.host].disk),
    ]


def of_total(need: int, have: int | None) -> str:
    """`6.2 of 64.0 GiB`, or `6.2 GiB` where the site does not say what the host has.

    >>> of_total(6_657_199_309, 64 * 1024**3), of_total(6_657_199_309, None)
    ('6.2 of 64.0 GiB', '6.2 GiB')
    """
    total = f" of {have / _GIB:,.1f}" if have is not None else ""
    return f"{need / _GIB:,.1f}{total} GiB"


def to_json(fleet: Fleet) -> list[dict[str, Any]]:
    """One object for each server; RAM and disk in bytes, None where the site does not say what the host has."""
    return [
        {
            "shard": server.name,
            "role": server.role,
            "replica": server.replica,
            "host": server.host,
            "port": server.port,
            "nodes": list(server.nodes),
            "racks": list(server.racks),
            "predicted": {
                "series": server.load.series,
                "samples_per_second": server.load.samples_per_second,
                "memory_bytes": server.load.memory,
                "disk_bytes": server.load.disk,
            },
            "host_memory_bytes": fleet.nodes[server.host].memory,
            "host_disk_bytes": fleet.nodes[server.host].disk,
        }
        for server in fleet.servers
    ]
