"""`aamic twin`: the site, running on this machine's loopback addresses."""

from __future__ import annotations

from typing import Annotated

import typer

from aamic.commands.options import DEFAULT_SITE, Json, SitePath, checked, print_json

Inject = Annotated[
    list[str],
    typer.Option(
        "--inject",
        metavar="KIND[:VALUE]@NODE[/GPU]",
        help="A fault to show once everything is up, such as xid:79@gpu-001/0; it must become an alert.",
    ),
]
Keep = Annotated[bool, typer.Option("--keep", help="Stay up until Ctrl-C, and say at which addresses.")]
Nodes = Annotated[int, typer.Option("--nodes", min=1, help="Run at most this many nodes of a larger site.")]
Deadline = Annotated[float, typer.Option("--deadline", min=1, help="Seconds that each step may take.")]


def twin(  # noqa: PLR0913  # each is an option of the command line
    site: SitePath = DEFAULT_SITE,
    *,
    inject: Inject = [],  # noqa: B006  # typer makes a new list for each call
    keep: Keep = False,
    nodes: Nodes = 24,
    deadline: Deadline = 120.0,
    json: Json = False,
) -> None:
    """Run what was compiled: real Prometheus and Alertmanager, synthetic exporters, nothing left behind."""
    from rich.console import Console

    from aamic.twin.faults import parse_injections
    from aamic.twin.progress import steps_on
    from aamic.twin.report import Report, to_json
    from aamic.twin.run import Wish, run_twin
    from aamic.twin.show import show, show_urls

    whole = checked(site)
    wish = Wish(nodes, parse_injections(inject, whole.fleet), deadline)
    out = Console(stderr=json)

    def tell(report: Report) -> None:
        if json:
            print_json(to_json(report))
        else:
            show(report, out)
        if keep:
            show_urls(report, out)

    report = run_twin(whole, wish, steps_on(Console(stderr=True)), tell, keep=keep)
    if not keep:
        tell(report)
    if not report.ok:
        raise typer.Exit(1)
