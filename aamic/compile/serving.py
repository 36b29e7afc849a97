"""`serve` of a site: `aamic serve` on one of its hosts, by which others read this cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aamic.catalog.sources import install_of
from aamic.compile.addresses import is_loopback
from aamic.compile.clusters import check_pair, pem
from aamic.compile.findings import Findings, Path
from aamic.compile.ports import Listener
from aamic.compile.references import References
from aamic.compile.topology import Plan, central_host
from aamic.model.clusters import Serve as Spec
from aamic.model.fleet import Package, Serve, Tarball
from aamic.model.quantities import duration_seconds
from aamic.model.site import Site

PROGRAM: Final = "aamic"
_ELSEWHERE: Final = "or listen on `address: 127.0.0.1` alone"


def resolve_serve(
    site: Site, refs: References, plans: Sequence[Plan], certificates: Mapping[str, bytes], findings: Findings
) -> Serve | None:
    """What is served and where; None where nothing is, or its host is not known. Faults go to `findings`.

    `certificates` are the PEM files that could be read, by path below the site's folder.
    """
    spec = site.serve
    if spec is None or not spec.enabled:
        return None
    host = _host(spec, refs, plans, findings)
    check_pair(spec, ("serve",), findings)
    _check_access(spec, findings)
    _check_keys(spec, findings)
    return None if host is None else _resolved(spec, host, certificates)


def _resolved(spec: Spec, host: str, certificates: Mapping[str, bytes]) -> Serve:
    install, program = _program(spec)
    return Serve(
        host=host,
        address=spec.address,
        port=spec.port,
        program=program,
        install=install,
        certificate=pem(spec.tls_cert, certificates),
        tls_key=spec.tls_key,
        client_authorities=pem(spec.tls_client_ca, certificates),
        keys=tuple((key.name, key.sha256) for key in spec.keys),
        rate=spec.rate,
        timeout=duration_seconds(spec.timeout),
    )


def _program(spec: Spec) -> tuple[Package | Tarball | None, str]:
    """What to install, if anything, and where the program then is."""
    return (None, spec.program) if spec.source is None else install_of(spec.source, PROGRAM)


def listeners(serve: Serve | None) -> list[Listener]:
    """Where it listens, for those who give out ports."""
    if serve is None:
        return []
    return [Listener("`aamic serve`", serve.port, (serve.host,), ("serve", "port"), unprivileged=True)]


def _host(spec: Spec, refs: References, plans: Sequence[Plan], findings: Findings) -> str | None:
    central = central_host(plans)
    if spec.node is not None:
        return refs.node(spec.node, "serve", "node")
    if central is None and not findings.failed and not findings.may_lack("serve", "node"):
        findings.error("`serve` has no central Prometheus to ask", findings.place("serve"), "set `federation`")
    return central


def _check_access(spec: Spec, findings: Findings) -> None:
    """Report what would be open to all: whatever is served to others is encrypted, and asks who they are."""
    path: Path = ("serve",)
    if spec.tls_client_ca is not None and spec.tls_cert is None and not _may_lack(findings, "tls_cert"):
        findings.error(
            "`tls_client_ca` has no effect without `tls_cert`",
            findings.place(*path, "tls_client_ca"),
            "clients show certificates only to a server that has one",
        )
    if spec.address is not None and is_loopback(spec.address):
        return
    if spec.tls_cert is None and spec.tls_key is None and not _may_lack(findings, "address", "tls_cert", "tls_key"):
        hint = f"name `tls_cert` and `tls_key`, {_ELSEWHERE}"
        findings.error("`serve` answers others without TLS", findings.place(*path), hint)
    if not spec.keys and spec.tls_client_ca is None and not _may_lack(findings, "address", "keys", "tls_client_ca"):
        hint = f"`aamic keys create` makes a key; or name `tls_client_ca`, {_ELSEWHERE}"
        findings.error("`serve` lets everybody in", findings.place(*path), hint)


def _may_lack(findings: Findings, *keys: str) -> bool:
    return any(findings.may_lack_part("serve", key) for key in keys)


def _check_keys(spec: Spec, findings: Findings) -> None:
    """Report names and digests that stand twice: who takes one out means to revoke it."""
    names: dict[str, int] = {}
    digests: dict[str, int] = {}
    for index, key in enumerate(spec.keys):
        if (first := names.setdefault(key.name, index)) != index:
            _report_twice(f"two keys of `serve` are named `{key.name}`", "rename one", "name", (first, index), findings)
        if (first := digests.setdefault(key.sha256, index)) != index:
            message = f"`{spec.keys[first].name}` and `{key.name}` of `serve` are the same key"
            hint = "give each its own: to take one out would not revoke it"
            _report_twice(message, hint, "sha256", (first, index), findings)


def _report_twice(message: str, hint: str, field: str, keys: tuple[int, int], findings: Findings) -> None:
    first, second = (findings.place("serve", "keys", index, field) for index in keys)
    findings.error(message, second, hint, (first,))
