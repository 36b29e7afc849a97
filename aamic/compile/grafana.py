"""`grafana` of a site: where Grafana runs, and what it must have to be started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aamic.catalog.sources import install_of
from aamic.compile.clusters import check_pair, pem
from aamic.compile.findings import Findings
from aamic.compile.ports import Listener
from aamic.compile.references import References
from aamic.compile.topology import Plan, central_host
from aamic.model.fleet import Grafana
from aamic.model.grafana import Grafana as Spec
from aamic.model.site import Site

PROGRAM: Final = "grafana"


def resolve_grafana(
    site: Site, refs: References, plans: Sequence[Plan], certificates: Mapping[str, bytes], findings: Findings
) -> Grafana | None:
    """Grafana as it will run; None where the site has none, or its host is not known. Faults go to `findings`.

    `certificates` are the PEM files that could be read, by path below the site's folder.
    """
    spec = site.grafana
    if spec is None or not spec.enabled:
        return None
    host = _host(spec, refs, plans, findings)
    check_pair(spec, ("grafana",), findings)
    _check_url(spec, findings)
    _check_encryption(spec, findings)
    return None if host is None else _resolved(spec, host, site.cluster.name, certificates)


def _resolved(spec: Spec, host: str, cluster: str, certificates: Mapping[str, bytes]) -> Grafana:
    install, _ = install_of(spec.source, PROGRAM)
    return Grafana(
        host=host,
        port=spec.port,
        root_url=spec.root_url,
        folder=spec.folder or cluster,
        admin_user=spec.admin_user,
        admin_password=spec.admin_password,
        anonymous=spec.anonymous,
        certificate=pem(spec.tls_cert, certificates),
        tls_key=spec.tls_key,
        install=install,
        binary=spec.source.binary or f"{spec.home}/bin/{PROGRAM}",
        home=spec.home,
    )


def listeners(grafana: Grafana | None) -> list[Listener]:
    """Where it listens, for those who give out ports."""
    if grafana is None:
        return []
    return [Listener("Grafana", grafana.port, (grafana.host,), ("grafana", "port"), unprivileged=True)]


def _host(spec: Spec, refs: References, plans: Sequence[Plan], findings: Findings) -> str | None:
    central = central_host(plans)
    if central is None and not findings.failed and not findings.may_lack("grafana", "node"):
        findings.error("`grafana` has no Prometheus to show", findings.place("grafana"), "set `federation`")
    return central if spec.node is None else refs.node(spec.node, "grafana", "node")


def _check_url(spec: Spec, findings: Findings) -> None:
    """Report a URL to which nothing can be added: Grafana puts the paths of its pages behind it."""
    for sign in "?#":
        if sign in (spec.root_url or ""):
            findings.error(
                f"`root_url` holds a `{sign}`",
                findings.place("grafana", "root_url"),
                "paths are put behind it: write it as `https://grafana.example.com/`",
            )
            return


def _check_encryption(spec: Spec, findings: Findings) -> None:
    """Warn of passwords that everybody on the way reads; a URL with `https://` is that of a proxy before it."""
    proxied = spec.root_url is not None and spec.root_url.startswith("https://")
    lacking = [key for key in ("tls_cert", "tls_key", "root_url") if findings.may_lack("grafana", key)]
    if spec.tls_cert is None and spec.tls_key is None and not proxied and not lacking:
        findings.warn(
            "`grafana` takes passwords over plain HTTP",
            findings.key("grafana"),
            "name `tls_cert` and `tls_key`; or `root_url: https://...`, where a proxy stands before it",
        )
