"""Document to Site: messages, and what is left for later checks."""

from __future__ import annotations

import copy
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aamic.catalog.table import CATALOG
from aamic.compile.folder import Folder
from aamic.compile.parse import parse
from aamic.compile.schema import site_model
from aamic.compile.validate import Checked, validate
from aamic.errors import Place, Problem
from aamic.model.site import Site

MODEL = site_model(CATALOG.exporters)
HEAD = "version: 1\ncluster: {name: test}\n"
SECRET = "T0P-S3CR3T"  # noqa: S105  # looked for in messages, where it must not be


def check(text: str) -> Checked:
    document = parse((HEAD + textwrap.dedent(text)).encode(), "site.yaml", Folder(Path("no-such-folder")))
    return validate(document, MODEL)


def partial(text: str) -> Site:
    """What later checks get to see."""
    site = check(text).site
    assert site is not None
    return site


def told(text: str) -> list[str]:
    return [f"{problem.message} ({problem.hint})" for problem in check(text).problems]


def test_a_site_without_faults() -> None:
    checked = check("prometheus: {port: 9095}")
    assert checked.site is not None
    assert checked.site.prometheus.port == 9095
    assert ((), frozenset()) == (checked.problems, checked.pruned)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "prometheus: {retentoin: 15d}",
            "unknown key `retentoin` in `prometheus` (did you mean `retention`?)",
        ),
        (
            "prometheus: {retention: 15d, retentoin: 15d}",
            "unknown key `retentoin` in `prometheus` (`retention` is there already; remove one of the two)",
        ),
        (
            "racks: {r1: {nodes: n1, colour: red}}",
            "unknown key `colour` in `racks.r1` (keys here are `nodes`, `addresses`, `gpu`, `labels`, `ssh`)",
        ),
        (
            "racks: {r1: {labels: {}}}",
            "`racks.r1` lacks the key `nodes` (`nodes`: Slurm host list of the rack's nodes)",
        ),
        (
            "racks: {r1: {nodse: a}}",
            "unknown key `nodse` in `racks.r1` (did you mean `nodes`?)",
        ),
        (
            "federation: {shards: many}",
            (
                "`federation.shards` is text, wanted a whole number or a list "
                "(`shards`: How many shards, or the list of them)"
            ),
        ),
        (
            "prometheus: {port: '9090'}",
            "`prometheus.port` is text, wanted a whole number (write it without quotes or tag)",
        ),
        ("prometheus: [a]", "`prometheus` is a list, wanted a mapping (write `key: value` lines)"),
        ("prometheus:", "`prometheus` is empty, wanted a mapping (write a value, or remove the key)"),
        ("cluster2: a", "unknown key `cluster2` (`cluster` is there already; remove one of the two)"),
        (
            "federation: {enabled: no}",
            "`federation.enabled` is text, wanted `true` or `false` (YAML 1.2 reads `no` as text; write `false`)",
        ),
        (
            "nodes: {n1: {labels: {row: 7}}}",
            "`nodes.n1.labels.row` is the number 7, wanted a label value (put it in quotes)",
        ),
        (
            "nodes: {n1: {labels: {row: true}}}",
            "`nodes.n1.labels.row` is `true`, wanted a label value (put it in quotes)",
        ),
        (
            "alerts: {presets: gpu}",
            "`alerts.presets` is text, wanted a list (write `[first, second]`, or a line with `- ` for each item)",
        ),
        (
            "alerts: {custom: [{name: A, expr: {a: b}}]}",
            (
                "`alerts.custom[0].expr` is a mapping, wanted a PromQL expression "
                "(put text that begins with `{` in quotes)"
            ),
        ),
        (
            "prometheus: {scrape_interval: 15x}",
            (
                "`15x` in `prometheus.scrape_interval` is not a duration "
                "(write a Prometheus duration such as `15s`, `5m`, `1h30m` or `30d`)"
            ),
        ),
        (
            'prometheus: {scrape_interval: ""}',
            (
                "`prometheus.scrape_interval` is empty text, wanted a duration "
                "(write a Prometheus duration such as `15s`, `5m`, `1h30m` or `30d`)"
            ),
        ),
        (
            "nodes: {n1: {labels: {__row: a}}}",
            (
                "`__row`, a key of `nodes.n1.labels`, is not a label name "
                "(write letters, digits and `_`, not beginning with a digit or `__`)"
            ),
        ),
        (
            "nodes: {'': {}}",
            (
                "a key of `nodes` is empty text, wanted a host list "
                "(write a host list such as `gpu-[001-032]` or `mon-01,mon-02`)"
            ),
        ),
        (
            "prometheus: {port: 70000}",
            "`prometheus.port` is 70000, not between 1 and 65535 (`port`: First port to try on each host)",
        ),
        (
            "nodes: {n1: {reserved_ports: [0]}}",
            (
                "`nodes.n1.reserved_ports[0]` is 0, not between 1 and 65535 "
                "(`reserved_ports`: Ports that other software on this host listens on)"
            ),
        ),
        (
            "alerts: {custom: [{name: A, expr: up, severity: crit}]}",
            (
                "`crit` in `alerts.custom[0].severity` is not one of `info`, `warning`, `critical` "
                "(did you mean `critical`?)"
            ),
        ),
        (
            "federation: {type: thannos}",
            "`thannos` in `federation.type` is not one of `prometheus`, `thanos` (did you mean `thanos`?)",
        ),
        (
            "federation: {shards: []}",
            "`federation.shards` is an empty list (write at least one item, or remove the key)",
        ),
        (
            "prometheus: {source: {binary: /usr/bin/prometheus}}",
            "`prometheus.source` has none of the keys `package`, `tarball` (add one of them; it tells what this is)",
        ),
        (
            "prometheus: {source: {package: prometheus, sha256: a}}",
            "unknown key `sha256` in `prometheus.source` (keys here are `package`, `version`, `binary`)",
        ),
        (
            f"cluster3: {SECRET}\nnodes: {{n1: {{labels: {{a: {'x' * 1025}}}}}}}",
            "`nodes.n1.labels.a` has 1,025 characters (at most 1,024 are allowed)",
        ),
        (
            "alertmanager: {nodes: [a, b]}",
            (
                "`alertmanager.nodes` is a list, wanted a host list "
                "(write a host list such as `gpu-[001-032]` or `mon-01,mon-02`)"
            ),
        ),
        (
            "prometheus: {port: .nan}",
            "`prometheus.port` is the number nan, wanted a whole number (`port`: First port to try on each host)",
        ),
    ],
)
def test_each_kind_of_fault_in_our_own_words(text: str, message: str) -> None:
    assert message in told(text)


def test_a_misspelt_key_is_told_once() -> None:
    assert told("racks: {r1: {nodse: a}}") == ["unknown key `nodse` in `racks.r1` (did you mean `nodes`?)"]


def test_all_faults_at_once_with_their_places() -> None:
    checked = check(
        """\
        prometheus:
          port: x
          colour: red
        racks:
          r1: {labels: {}}
        """
    )
    assert [
        ("racks.r1", Place("site.yaml", 7, 3)),
        ("prometheus.port", Place("site.yaml", 4, 9)),
        ("colour", Place("site.yaml", 5, 3)),
    ] == [(problem.message.split("`")[1], problem.place) for problem in checked.problems]


@pytest.mark.parametrize(
    "reference",
    [
        SECRET,
        f"[{SECRET}]",
        f"{{{SECRET}: a}}",
        f"{{key: {SECRET}}}",
        f"{{file: a, {SECRET}: b}}",
        f"{{file: a, env: {SECRET}}}",
        f"{{env: {SECRET}}}",
        f"{{env: [{SECRET}]}}",
        f"{{env: {{{SECRET}: a}}}}",
        f'{{file: "{SECRET}\\n"}}',
        f"{{command: {SECRET}}}",
        f'{{command: [echo, "{SECRET}\\t"]}}',
    ],
)
@pytest.mark.parametrize("at", ["slack: {{webhook_url: {}}}", "webhook: {{url: 'http://a', token: {}}}"])
def test_a_secret_is_never_repeated(at: str, reference: str) -> None:
    problems = check(f"notifications: {{{at.format(reference)}}}").problems
    assert problems
    assert SECRET not in repr(problems)


def test_a_url_that_became_a_key_is_never_repeated() -> None:
    problems = check(f"notifications: {{slack: {{https://hooks.example.com/{SECRET}}}}}").problems
    assert [problem.message for problem in problems] == [
        "`notifications.slack` lacks the key `webhook_url`",
        "unknown key in `notifications.slack`",
    ]
    assert SECRET not in repr(problems)


def test_a_number_that_is_a_secret_is_never_repeated() -> None:
    problems = check("notifications: {pagerduty: {routing_key: {file: 8675309}}}").problems
    assert problems
    assert "8675309" not in repr(problems)


def test_a_plain_text_secret_gets_the_forms_of_references() -> None:
    assert told(f"notifications: {{slack: {{webhook_url: {SECRET}}}}}") == [
        (
            "`notifications.slack.webhook_url` holds plain text where a reference to a secret belongs "
            "(write `{file: PATH}`, "
            "`{env: NAME}` or `{command: [PROGRAM, ARGUMENT]}`; replace the secret if others have seen this file)"
        )
    ]


def test_the_password_in_a_url_is_never_repeated() -> None:
    problems = check(f"notifications: {{webhook: {{url: 'http://me:{SECRET}@host/'}}}}").problems
    assert [problem.message for problem in problems] == ["`notifications.webhook.url` is not a URL"]
    assert SECRET not in repr(problems)


def test_values_are_shortened_and_escaped() -> None:
    (message,) = told('prometheus: {scrape_interval: "\\e[31m' + "x" * 100 + '"}')
    assert message.split(" (")[0] == "`\\x1b[31m" + "x" * 54 + "…` in `prometheus.scrape_interval` is not a duration"


def test_an_optional_value_is_dropped_alone() -> None:
    checked = check("prometheus: {port: x, retention: 3d}")
    assert frozenset({("prometheus", "port")}) == checked.pruned
    assert checked.site is not None
    assert (checked.site.prometheus.port, checked.site.prometheus.retention) == (9090, "3d")


def test_a_mapping_that_is_nothing_without_a_value_is_dropped_with_it() -> None:
    site = partial("racks: {r1: {nodes: 5, labels: {a: b}}, r2: {nodes: n1}}")
    assert list(site.racks) == ["r2"]


def test_what_a_dropped_mapping_leaves_incomplete_goes_too() -> None:
    checked = check("alertmanager: {nodes: {a: b}}\nnotifications: {slack: {webhook_url: x}}")
    assert checked.site is not None
    assert (checked.site.alertmanager, checked.site.notifications.slack) == (None, None)


def test_the_head_of_a_site_has_a_stand_in() -> None:
    document = parse(b"cluster: 5\nprometheus: {port: 1}", "site.yaml", Folder(Path("no-such-folder")))
    checked = validate(document, MODEL)
    assert checked.site is not None
    assert (checked.site.version, checked.site.prometheus.port) == (1, 1)
    assert frozenset({("version",), ("cluster",)}) == checked.pruned


def test_places_of_items_behind_a_dropped_one() -> None:
    checked = check(
        """\
        alerts:
          custom:
          - {name: A}
          - {name: B, expr: up}
          - {name: C}
          - {name: D, expr: up}
        """
    )
    assert checked.site is not None
    assert [
        (alert.name, checked.places.place(("alerts", "custom", index, "name")).line)
        for index, alert in enumerate(checked.site.alerts.custom)
    ] == [("B", 6), ("D", 8)]
    assert checked.places.place_of_key(("alerts", "custom", 1, "expr")).line == 8


def test_thousands_of_faults_are_counted_and_not_spelt_out() -> None:
    nodes = "\n".join(f"  n{index}: {{adress: a}}" for index in range(1200))
    problems = check(f"nodes:\n{nodes}").problems
    assert len(problems) == 1001
    assert problems[-1].message == "200 more values are wrong"


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from(["a", "15s", "", "a b"])),
    lambda below: st.one_of(
        st.lists(below, max_size=4),
        st.dictionaries(
            st.sampled_from(["nodes", "name", "expr", "custom", "file", "port", "gpu", "a"]), below, max_size=4
        ),
    ),
    max_leaves=12,
)
SITES = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("version", "cluster", "racks", "nodes", "alerts", "federation", "exporters", "x"), VALUES),
)


class _Written:
    """A document whose places do not matter."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.problems: tuple[Problem, ...] = ()

    def place(self, path: tuple[str | int, ...]) -> Place:
        return Place("site.yaml", 1 + len(path))

    def place_of_key(self, path: tuple[str | int, ...]) -> Place:
        return self.place(path)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(SITES)
def test_whatever_is_written_something_is_left_to_check(data: dict[str, Any]) -> None:
    before = copy.deepcopy(data)
    checked = validate(_Written(data), MODEL)
    assert checked.site is not None
    assert bool(checked.problems) == bool(checked.pruned)
    assert before == data
