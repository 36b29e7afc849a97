"""A cluster of which only a Prometheus is known."""

from aamic.model.api import AlertCounts, NodeCounts, VerdictCounts
from aamic.ops.clusterview import View, look_from_outside
from aamic.ops.looked import Looked
from tests.ops.clusters import NOW, OWN, Alarm, Memory, Series, alert, node, of_other, of_shard, sample, sums, well

NODES = [node("gpu-010"), node("gpu-002"), node("login1", gpus=0)]
CENTRAL = [series for entry in NODES for series in well(entry)] + sums(3, 16)


def seen(series: list[Series], alarm: Alarm | None = None, name: str = "there") -> View:
    return look_from_outside(name, Memory(series), alarm or Alarm(), NOW)


def test_a_central_server_of_aamic_tells_of_nodes_and_their_gpus_by_its_labels() -> None:
    view = seen([*CENTRAL, *of_other("busan")])

    assert (view.status.cluster, view.status.verdict, view.status.score) == (OWN, "ok", 100)
    assert view.status.nodes == NodeCounts(total=3, up=3, down=0)
    assert [(each.name, each.rack, each.model, each.gpus_expected, each.gpus_present) for each in view.nodes] == [
        ("gpu-002", "r1", "MI300X", 8, 8),
        ("gpu-010", "r1", "MI300X", 8, 8),
        ("login1", "r1", None, 0, None),
    ]
    assert (view.status.clusters, view.status.shards) == ([], [])


def test_a_lost_gpu_and_a_check_that_has_become_old_are_seen_from_outside_too() -> None:
    names = {("node:gpu_count", "gpu-002"), ("node:aamic_node_verdict", "gpu-010")}
    series = [each for each in CENTRAL if (each[0]["__name__"], each[0].get("node")) not in names]
    view = seen([*series, sample("node:gpu_count", 7, node="gpu-002")])

    assert [each.reasons for each in view.nodes] == [
        ["7 of its 8 GPUs report"],
        ["its own check is old or missing"],
        [],
    ]
    assert view.status.verdict == "critical"


def test_of_a_cluster_with_shards_a_central_server_does_not_know_all_alerts() -> None:
    view = seen([*CENTRAL, *of_shard("s1")])

    assert (view.status.verdict, view.status.score, view.status.alerts) == ("unknown", None, None)
    assert view.status.missing == [
        "alerts of shards: a central server alone does not hold them; as `kind: aami` it tells of all"
    ]


def test_nodes_need_not_check_themselves() -> None:
    view = seen([each for each in CENTRAL if "aamic_node" not in each[0]["__name__"]])

    assert view.status.verdict == "ok"


def test_alerts_about_other_clusters_are_not_its_own() -> None:
    view = seen(CENTRAL, Alarm([alert("Gone", cluster="busan"), alert("Hot", "warning", node="login1")]))

    assert view.alerts is not None
    assert [(each.name, each.about) for each in view.alerts] == [("Hot", None), ("Gone", "busan")]
    assert view.status.alerts == AlertCounts(warning=1)
    assert view.status.verdict == "warning"


def test_alerts_of_clusters_beside_it_on_one_server_are_none_of_its_business() -> None:
    beside = [(labels | {"cluster": "ulsan"}, value) for labels, value in map(_changeable, CENTRAL)]
    alarm = Alarm([alert("Down", cluster="ulsan"), alert("Gone", cluster="busan")])
    view = seen([*CENTRAL, *beside], alarm, OWN)

    assert view.alerts is not None
    assert [each.name for each in view.alerts] == ["Gone"]


class Talkative:
    """A server with a long name for its version."""

    def version(self) -> str:
        return "9" * 5000


def test_names_of_any_length_fit_into_documents() -> None:
    long = "x" * 5000
    renamed: list[Series] = [(labels | {"cluster": long}, value) for labels, value in map(_changeable, CENTRAL)]
    found = Looked(lambda: seen(renamed), Talkative())

    assert len(found.status().cluster) == len(found.health().cluster) == len(found.version().api) == 4096


def _changeable(series: Series) -> tuple[dict[str, str], float]:
    return dict(series[0]), series[1]


def test_of_several_clusters_the_one_that_is_meant_is_read() -> None:
    twin = [({**labels, "cluster": "there"}, value) for labels, value in CENTRAL if labels.get("node") != "login1"]
    view = seen([*CENTRAL, *twin])

    assert (view.status.cluster, view.status.nodes.total) == ("there", 2)


def test_of_several_clusters_none_is_read_if_none_is_meant() -> None:
    twin = [({**labels, "cluster": "busan"}, value) for labels, value in CENTRAL]
    view = seen([*CENTRAL, *twin])

    assert (view.status.verdict, view.status.nodes) == ("unknown", NodeCounts(total=None, up=None, down=None))
    assert view.status.missing == [
        "which cluster is meant: it has `busan`, `seoul`, none called `there`; give it the name of the one meant"
    ]
    assert (view.alerts, view.status.score) == (None, None)


PLAIN: list[Series] = [
    ({"__name__": "up", "job": "node", "instance": "a-10:9100"}, 1),
    ({"__name__": "up", "job": "node", "instance": "a-9:9100"}, 0),
    ({"__name__": "up", "job": "dcgm", "instance": "a-9:9400"}, 0),
    ({"__name__": "up", "job": "node", "instance": "x:1", "node": "named"}, 1),
    ({"__name__": "up", "job": "prometheus", "instance": "mon:9090"}, 1),
]


def test_of_any_other_prometheus_is_known_what_answers_and_nothing_is_called_well() -> None:
    view = seen(PLAIN)

    assert [(each.name, each.up, each.verdict) for each in view.nodes] == [
        ("a-9", False, "critical"),
        ("a-10", True, "unknown"),
        ("named", True, "unknown"),
    ]
    assert {each.gpus_expected for each in view.nodes} == {None}
    assert view.status.nodes == NodeCounts(total=None, up=2, down=1)
    assert (view.status.cluster, view.status.verdict, view.status.score) == ("there", "critical", None)
    assert (view.status.verdicts, view.status.gpus) == (VerdictCounts(critical=1, unknown=2), [])


def test_alerts_of_any_other_prometheus_are_its_own_whatever_their_labels_are() -> None:
    view = seen(PLAIN[:1], Alarm([alert("Hot", "warning", cluster="elsewhere")]))

    assert view.status.alerts is not None
    assert view.status.alerts.warning == 1
    assert "alert `Hot`: Hot!" in view.status.reasons


def test_a_prometheus_that_has_nothing_is_not_ok() -> None:
    view = seen([])

    assert (view.status.verdict, view.nodes) == ("unknown", ())


def test_names_that_no_site_would_allow_do_no_harm() -> None:
    view = seen([({"__name__": "up", "job": "x", "instance": 'a[0-9999999],"\\{}`:1'}, 0)])

    assert view.status.verdict == "critical"
    assert any("none of its exporters answers" in each for each in view.status.reasons)
