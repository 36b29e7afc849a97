"""Laws of dashboards, over what a site may watch, read, ask and switch off."""

from __future__ import annotations

import json
import re

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from aamic.compile.dashboards import of_query, of_variable
from aamic.model.dashboard import chosen, filled, placed
from aamic.model.fleet import AlertRule
from tests.dashboards import ALERTMANAGER, AMD, NVIDIA, PLAIN, SINGLE, SLURM, federated, panels, seen, site

FEW = settings(
    max_examples=12,
    deadline=None,
    phases=set(Phase) - {Phase.shrink, Phase.explain},
    suppress_health_check=list(HealthCheck),
)
SELECTORS = (
    '{__name__=~"gpu:.*"}',
    '{__name__=~"node:.*"}',
    '{__name__=~"shard:.*"}',
    "gpu:present",
    "node:down",
    "node:gpu_temperature_celsius",
    'up{job!="prometheus"}',
    'up{job="node"}',
    '{job="node"}',
)
ALERTS = ("GpuHot", "GpuTooHot", "GpuMemoryHot", "NodeDown", "GpuEccCorrected", "GpuPcieReplays", "NodeMemoryPressure")
RACKS = st.lists(st.sampled_from([NVIDIA, AMD, PLAIN]), unique=True)


@FEW
@given(racks=RACKS, match=st.lists(st.sampled_from(SELECTORS), min_size=1, unique=True), slurm=st.booleans())
def test_what_is_left_is_fed_and_nothing_is_left_over(racks: list[str], match: list[str], *, slurm: bool) -> None:
    hooks = [SLURM] if slurm and set(racks) - {PLAIN} else []
    found = seen(site(racks, federated(match), *hooks))
    for page in found.dashboards:
        assert page.rows
        assert all(row.panels for row in page.rows)
        assert len(list(placed(page))) == len(page.rows) + len(page.panels)
        names = {variable.name for variable in page.variables}
        errors = [of_variable(variable, page, found.ground, found.server) for variable in page.variables]
        for panel in page.panels:
            assert panel.queries or panel.kind in {"alerts", "text"}
            assert set(re.findall(r"\$([a-z]\w*)", " ".join(query.expr for query in panel.queries))) <= names
            errors += [of_query(query, page, found.ground, found.server) for query in panel.queries]
        assert [note for note in errors if any(severity == "error" for _, severity in note.values())] == []


@FEW
@given(
    racks=RACKS,
    off=st.lists(st.sampled_from(ALERTS), unique=True),
    warn=st.integers(30, 90),
    presets=st.lists(st.sampled_from(["node", "gpu", "aamic"]), min_size=1, unique=True),
)
def test_bounds_are_the_numbers_of_the_alerts_that_the_site_has(
    racks: list[str], off: list[str], warn: int, presets: list[str]
) -> None:
    """Whatever a site says of thresholds: alerts and dashboards say the same."""
    alerts = f"alerts: {{presets: {json.dumps(presets)}, disable: {json.dumps(off)}}}"
    thresholds = (
        f"health: {{thresholds: [{{vendor: nvidia, temperature_celsius: {{warn: {warn}, fail: {warn + 5}}}}}]}}"
    )
    found = seen(site(racks, SINGLE, ALERTMANAGER, alerts, thresholds))
    rules = {
        rule.name: rule for group in found.checked.fleet.rules for rule in group.rules if isinstance(rule, AlertRule)
    }
    for _, panel in panels(found.dashboards):
        assert [bound.value for bound in panel.bounds] == sorted(bound.value for bound in panel.bounds)
        for bound in (bound for bound in panel.bounds if bound.alert):
            rule = rules[bound.alert]
            if bound.alert not in {wanted.alert for wanted in panel.wanted}:
                continue  # the page's own, which says what the alert is about in other words
            numbers = {float(text) for text in re.findall(r"(?:[<>]=?|==)\s*(?:on .*?\(\)\s*)?([0-9.]+)", rule.expr)}
            assert bound.severity == rule.severity
            assert numbers & {bound.value, round(1 - bound.value, 12), 0.0 if bound.value == 0.001 else bound.value}
        alone = {wanted.alert for wanted in panel.wanted if wanted.alert in rules and not wanted.labels}
        assert len(alone) != 1 or alone == {bound.alert for bound in panel.bounds if bound.alert}


@given(names=st.lists(st.text(min_size=1), min_size=1, max_size=3))
def test_a_chosen_name_is_matched_as_it_is_and_nothing_else_of_a_query_changes(names: list[str]) -> None:
    text = filled('a{node=~"$node",rack=~"$rack"}', {"node": chosen(names)})
    before, after = 'a{node=~"', '",rack=~"$rack"}'
    assert text.startswith(before)
    assert text.endswith(after)
    pattern = json.loads(f'"{_json(text[len(before) : -len(after)])}"')
    assert all(re.fullmatch(pattern, name) for name in names)
    assert not re.fullmatch(pattern, "".join(names) + "x")


def _json(text: str) -> str:
    """A PromQL string's inside as that of JSON, which has no control characters."""
    return "".join(f"\\u{ord(each):04x}" if ord(each) < 0x20 else each for each in text)
