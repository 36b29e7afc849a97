"""What panels ask of a server at one moment, and what it answers; a query that fails is an answer as well."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import partial
from typing import Final

from aamic.agent.health.drainwords import natural
from aamic.clients.base import Charted, Sample, Track
from aamic.errors import OutsideError
from aamic.model.api import Alert
from aamic.model.dashboard import Panel, Query, Variable, chosen, filled
from aamic.model.preview import Firing, Severity, Window

Answer = Sequence[Sample] | Sequence[Track] | Sequence[Firing] | str
"""What came of one query: of a moment, over time, or alerts; or a text, which is why nothing came."""
_POINTS: Final = 240
"""Points of a line: what a chart of a page can show."""
_STEPS: Final = (15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
_SAID: Final = re.compile(r'"error":\s*("(?:[^"\\]|\\.)*")')
_LONGEST: Final = 300
_SOME: Final = 5
_FIRING: Final = 'ALERTS{alertstate="firing"}'
_SINCE: Final = f"ALERTS_FOR_STATE and ignoring(alertstate) {_FIRING}"
_COUNTED: Final = "max by (cluster, shard, alertname, severity) (shard:alerts_firing)"
_OWN: Final = frozenset({"__name__", "alertname", "alertstate", "severity"})
_LEVELS: Final[Mapping[str, Severity]] = {"critical": "critical", "info": "info", "none": "info"}
_KINDS_OVER_TIME: Final = frozenset({"timeseries"})


def window(end: float, span: float) -> Window:
    """The window of so many seconds that ends there, longer by less than a step.

    >>> window(100_000, 6 * 3600)
    Window(start=78400, end=100000, step=120)
    """
    step = (
        next((each for each in _STEPS if span / each <= _POINTS), None) or -(-int(span) // (_POINTS * 86_400)) * 86_400
    )
    return Window(end - -(-span // step) * step, end, step)


@dataclass(frozen=True, slots=True)
class Look:
    """When is looked, and what is chosen of each variable, everything where that is empty; `scrape` is seconds."""

    window: Window
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scrape: float = 15.0


def whole(text: str, look: Look) -> str:
    r"""A query with what stands for its variables and times, as Grafana does it; all of what is not chosen.

    >>> look = Look(window(7200, 3600), {"node": ("gpu-1", "gpu-2"), "rack": ()})
    >>> whole('rate(up{node=~"$node",rack=~"$rack"}[$__rate_interval])', look)
    'rate(up{node=~"(gpu-1|gpu-2)",rack=~".*"}[60s])'
    """
    span, step = round(look.window.end - look.window.start), round(look.window.step)
    rate = round(max(4 * look.scrape, look.window.step + look.scrape))
    times = {"__range": f"{span}s", "__range_s": f"{span}", "__interval": f"{step}s", "__rate_interval": f"{rate}s"}
    return filled(text, {name: chosen(values) for name, values in look.choices.items()} | times)


def legend(text: str, look: Look) -> str:
    """A legend with the names that are chosen.

    >>> legend("GPUs of $node", Look(window(7200, 3600), {"node": ("gpu-1", "gpu-2")}))
    'GPUs of gpu-1, gpu-2'
    """
    return filled(text, {name: ", ".join(values) or "all" for name, values in look.choices.items()})


def choices(
    variables: Sequence[Variable], given: Mapping[str, tuple[str, ...]], server: Charted, look: Look
) -> Mapping[str, tuple[str, ...]]:
    """What is chosen of each variable: what is given, else everything, or the first where everything is too much.

    Raises:
        OutsideError: The server gives no answer to what there is to choose from.
    """
    found: dict[str, tuple[str, ...]] = {}
    for each in variables:
        found[each.name] = given.get(each.name) or ()
        if not found[each.name] and (each.opens or not each.every):
            found[each.name] = _first(each, server, Look(look.window, found, look.scrape))
    return found


def _first(variable: Variable, server: Charted, look: Look) -> tuple[str, ...]:
    """What is chosen at first: what the page opens with, if that is there; else all where all can be, or the first."""
    names = _values(variable, whole(variable.metric, look), server, look)
    if variable.opens in names:
        return (variable.opens,)
    return () if variable.every else tuple(names[:1])


def _values(variable: Variable, metric: str, server: Charted, look: Look) -> Sequence[str]:
    those = server.at(f"group by ({variable.name}) ({metric})", look.window.end)
    return sorted({each.labels.get(variable.name, "") for each in those} - {""}, key=natural)


def strangers(variables: Sequence[Variable], look: Look, server: Charted) -> Iterator[str]:
    """Each value that is chosen and that no series of the window has, with the nearest of those that there are.

    Raises:
        OutsideError: The server gives no answer to what there is to choose from.
    """
    span = f"{round(look.window.end - look.window.start)}s"
    before: dict[str, tuple[str, ...]] = {}
    for each in variables:
        names = look.choices.get(each.name) or ()
        metric = whole(each.metric, Look(look.window, before, look.scrape))
        known = _values(each, f"last_over_time({metric}[{span}])", server, look) if names else ()
        yield from (_stranger(each.name, name, known) for name in names if name not in known)
        before[each.name] = names


def _stranger(variable: str, name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(f'`{each}`' for each in known[:_SOME])}"
    more = f" and {len(known) - _SOME} more" if len(known) > _SOME and not near else ""
    return f"no {variable} `{name}`: {hint if known else 'there is none'}{more}"


def answers(panel: Panel, server: Charted, look: Look, alarms: Callable[[], Sequence[Firing]]) -> tuple[Answer, ...]:
    """What is answered to each query of a panel; of a panel of alerts, to whether any fires."""
    if panel.kind == "alerts":
        return (_or_reason(alarms),)
    return tuple(_or_reason(partial(_asked, panel, query, server, look)) for query in panel.queries)


def _asked(panel: Panel, query: Query, server: Charted, look: Look) -> Answer:
    expr, span = whole(query.expr, look), look.window
    if panel.kind in _KINDS_OVER_TIME and not query.instant:
        return server.over(expr, span.start, span.end, span.step)
    return server.at(expr, span.end)


def _or_reason(ask: Callable[[], Answer]) -> Answer:
    try:
        return ask()
    except OutsideError as error:
        return reason(error)


def reason(error: OutsideError) -> str:
    r"""Why there is no answer: what the server says itself, where it does; it may be cut.

    >>> reason(OutsideError('`http://m` answered 422: {"status":"error","error":"bad \\"x\\"","data":1}'))
    'bad "x"'
    """
    said = _SAID.search(text := str(error))
    with suppress(ValueError):  # what only looks like JSON is told as it is
        text = json.loads(said[1], strict=False) if said else text
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def fired(server: Charted, moment: float) -> tuple[Firing, ...]:
    """The alerts that fire at a moment by what a server has stored. Raises OutsideError where it gives no answer."""
    since = {_key(each.labels): each.value for each in server.at(_SINCE, moment)}
    return tuple(_firing(each.labels, since.get(_key(each.labels))) for each in server.at(_FIRING, moment))


def counted(server: Charted, moment: float) -> tuple[Firing, ...]:
    """How many alerts of each name fire on shards, as central has them. Raises OutsideError without an answer."""
    found = ((each.labels, each.value) for each in server.at(_COUNTED, moment) if each.value > 0)
    return tuple(_several(labels, f"{value:.0f} on shard {labels.get('shard', '')}") for labels, value in found)


def _several(labels: Mapping[str, str], where: str) -> Firing:
    return replace(_firing(labels, None), labels=where)


def told(alerts: Sequence[Alert]) -> tuple[Firing, ...]:
    """The alerts that fire of those that an Alertmanager has; what is silenced is not shown."""
    return tuple(
        _firing({"alertname": each.name, "severity": each.severity, **each.labels}, each.since)
        for each in alerts
        if each.state == "firing"
    )


def _firing(labels: Mapping[str, str], since: float | None) -> Firing:
    shown = ", ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name not in _OWN and value)
    severity = labels.get("severity", "")
    return Firing(labels.get("alertname", ""), severity, _LEVELS.get(severity.strip().lower(), "warning"), shown, since)


def _key(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in labels.items() if name not in {"__name__", "alertstate"}))
