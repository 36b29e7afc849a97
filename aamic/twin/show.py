"""A report for people: tables on a console. Text from the site is shown as it is, never read as markup."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from aamic.twin.report import AlertReport, Failure, FederatedReport, Report, ServerReport


def show(report: Report, console: Console) -> None:
    """Print what was seen."""
    part = f"{report.nodes} of {report.site_nodes}" if report.nodes < report.site_nodes else f"all {report.nodes}"
    console.print(Text(f"Twin of {report.cluster}: {part} nodes, on this machine's loopback addresses"))
    if report.real_node:
        console.print(Text(f"node_exporter of {report.real_node} is the real one; other exporters are synthetic"))
    for what in report.left_out:
        console.print(Text(f"left out: {what}"), soft_wrap=True)
    if report.servers:
        console.print(_servers(report.servers))
        console.print(Text("The prediction is of real exporters; a synthetic node_exporter answers fewer series."))
    if report.federated:
        known = report.federated
        told = f"What {known.server} knows: {known.targets_up} of {known.targets} targets up, and this many series"
        console.print(Text(told), _federated(known), sep="\n")
    for alert in report.alerts:
        console.print(_alert(alert), soft_wrap=True)
    if report.failure:
        console.print(_failure(report.failure), soft_wrap=True)


def show_urls(report: Report, console: Console) -> None:
    """Print where to look while the twin stays up."""
    for name, url in report.urls.items():
        console.print(Text(f"{name}: {url}"), soft_wrap=True)
    console.print(Text("The twin stays up until Ctrl-C."))


def _servers(servers: Iterable[ServerReport]) -> Table:
    table = Table("server", "host")
    for heading in ("targets up", "series", "predicted"):
        table.add_column(heading, justify="right")
    for server in servers:
        up = f"{server.targets_up} of {server.targets}"
        table.add_row(Text(server.name), Text(server.host), up, f"{server.series:,}", f"{server.predicted_series:,}")
    return table


def _federated(federated: FederatedReport) -> Table:
    table = Table("metric")
    for vendor in federated.gpu_series:
        table.add_column(Text(vendor), justify="right")
    for metric in sorted({metric for series in federated.gpu_series.values() for metric in series}):
        counts = (series.get(metric) for series in federated.gpu_series.values())
        table.add_row(Text(metric), *("" if count is None else str(count) for count in counts))
    return table


def _alert(alert: AlertReport) -> Text:
    labels = ", ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()) if name != "alertname")
    text = Text(f"{alert.injected} became an alert after {alert.seconds:.1f} s\n")
    text.append(f"  {alert.labels.get('alertname', '')}", style="bold red")
    text.append(f" {alert.summary}\n  {labels}")
    return text


def _failure(failure: Failure) -> Text:
    text = Text("error: ", style="bold red")
    text.append(f"the step `{failure.step}` did not end well", style="not bold default")
    shown = failure.missing[:_MOST]
    for line in (*shown, *_more(len(failure.missing) - len(shown)), *failure.log):
        text.append(f"\n  {line}", style="not bold default")
    return text


_MOST = 20


def _more(count: int) -> tuple[str, ...]:
    return (f"and {count} more",) if count > 0 else ()
