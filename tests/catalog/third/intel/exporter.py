"""The exporter of Intel's XPU Manager as a service of the nodes with Intel GPUs."""

from __future__ import annotations

from typing import Final

from aamic.catalog import neutral
from aamic.catalog.base import Contribution, Exporter, Ground, Vendor
from aamic.catalog.sources import install_of
from aamic.model.fleet import Endpoint, GpuProbe, Node, Service, Unit

from . import metrics
from .detect import DETECTOR
from .options import XpumOptions
from .sample import sample

_SOCKET: Final = "XPUM_SOCKET_FILE=/tmp/xpum_p.sock"
"""Where the daemon listens (rest/stub/grpc_stub.py). A unit sees the /tmp of its host if its command names that."""


def contribute(options: XpumOptions, ground: Ground) -> Contribution:
    """The exporter on every node with Intel GPUs, and the rules that make its metrics neutral."""
    hosts = tuple(name for name, node in ground.nodes.items() if node.gpu and node.gpu.vendor == "intel")
    if not options.enabled or not hosts:
        return Contribution()
    install, binary = install_of(options.source, "gunicorn")
    service = Service(
        bundle="gpu-intel",
        hosts=hosts,
        unit=_unit(options, binary),
        ports={"http": options.port},
        install=install,
    )
    emitted = tuple(metrics.metrics())
    names = frozenset(metric.name for metric in emitted)
    rules = neutral.rule_group("intel", neutral.rows("intel"), names)
    endpoint = Endpoint("xpum", options.port, "/metrics", frozenset(hosts), emitted)
    probe = GpuProbe("intel", options.port, "/metrics", frozenset(hosts))
    return Contribution((service,), (endpoint,), (rules,), (probe,))


def _unit(options: XpumOptions, binary: str) -> Unit:
    # As in deployment/kubernetes/daemonset/base/daemonset-intel-xpum.yaml.
    workers = ("--worker-class", "gthread", "--workers", "1", "--threads", "4")
    bound = ("--bind", f"0.0.0.0:{options.port}")
    return Unit(
        name="aami-xpum-exporter",
        description="Intel GPU metrics (XPU Manager)",
        command=(binary, "--chdir", "/usr/lib/xpum/rest", "--env", _SOCKET, *bound, *workers, "xpum_rest_main:main()"),
        # The daemon's socket is for its own user, which is root.
        user="root",
        after=("network-online.target", "xpum.service"),
        wants=("network-online.target", "xpum.service"),
        environment={"XPUM_EXPORTER_NO_AUTH": "1", "XPUM_EXPORTER_ONLY": "1"},
    )


def series(options: XpumOptions, node: Node) -> int:
    """One series for each value of each tile."""
    if not options.enabled or node.gpu is None or node.gpu.vendor != "intel":
        return 0
    return node.gpu.count * metrics.series(node.gpu.model)


EXPORTER: Final = Exporter("xpum", XpumOptions, contribute, series, sample)
VENDOR: Final = Vendor("intel", EXPORTER, DETECTOR)
