"""`clusters` of a site: other clusters that are read from here, and over what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from aamic.compile.addresses import is_address, is_loopback
from aamic.compile.certificates import place_of
from aamic.compile.findings import Findings, Path
from aamic.compile.text import shown
from aamic.errors import Place
from aamic.model import clusters
from aamic.model.fleet import RemoteCluster
from aamic.model.grafana import Grafana
from aamic.model.quantities import duration_seconds
from aamic.model.site import Site

_BRACKETED: Final = re.compile(r"^https?://\[(.*?)\]")
_IN_PLAIN: Final = "without `https://` everybody on the way reads and changes what is said"


def resolve_clusters(site: Site, certificates: Mapping[str, bytes], findings: Findings) -> tuple[RemoteCluster, ...]:
    """The other clusters in the order of the site; what is wrong with them goes to `findings`.

    `certificates` are the PEM files that could be read, by path below the site's folder.
    """
    _check_names(site, findings)
    for index, spec in enumerate(site.clusters):
        _check_endpoint(spec, ("clusters", index), findings)
        check_pair(spec, ("clusters", index), findings)
    return tuple(_resolved(spec, certificates) for spec in site.clusters)


def _resolved(spec: clusters.RemoteCluster, certificates: Mapping[str, bytes]) -> RemoteCluster:
    return RemoteCluster(
        name=spec.name,
        endpoint=spec.endpoint,
        kind=spec.kind,
        api_key=spec.api_key,
        tls_cert=spec.tls_cert,
        tls_key=spec.tls_key,
        tls_ca_cert=spec.tls_ca_cert,
        labels=spec.labels,
        timeout=duration_seconds(spec.timeout),
        federate=spec.federate,
        certificate=pem(spec.tls_cert, certificates),
        authorities=pem(spec.tls_ca_cert, certificates),
    )


def pem(written: str | None, certificates: Mapping[str, bytes]) -> bytes | None:
    """The PEM that stands at a path of the site, if the site names one that can be read."""
    return None if written is None else certificates.get(place_of(written))


def _check_names(site: Site, findings: Findings) -> None:
    seen: dict[str, Path] = {}
    for index, spec in enumerate(site.clusters):
        path: Path = ("clusters", index, "name")
        if spec.name == site.cluster.name:
            findings.error(
                f"another cluster is named `{spec.name}`, as this one is",
                findings.place(*path),
                "the names are values of one label: choose another name",
                (findings.place("cluster", "name"),),
            )
        if spec.name in seen:
            first = findings.place(*seen[spec.name])
            findings.error(f"two clusters are named `{spec.name}`", findings.place(*path), "rename one", (first,))
        seen.setdefault(spec.name, path)


def _check_endpoint(spec: clusters.RemoteCluster, path: Path, findings: Findings) -> None:
    """Report an endpoint in brackets that is no address, or one that is read in plain text."""
    place, bracketed = findings.place(*path, "endpoint"), _BRACKETED.search(spec.endpoint)
    if bracketed and not (":" in bracketed[1] and is_address(bracketed[1])):
        _bad_address(spec, place, findings)
        return
    url = urlsplit(spec.endpoint)
    if url.scheme == "https" or is_loopback(url.hostname or ""):
        return
    secrets = list(_secrets(spec))
    for key in secrets:
        findings.error(
            f"cluster `{spec.name}` is read over `http://`, with `{key}`",
            findings.place(*path, key),
            f"write `https://`: {_IN_PLAIN}",
            (place,),
        )
    if spec.kind == "aami" and not secrets:
        findings.error(
            f"cluster `{spec.name}` is read over `http://`",
            place,
            f"write `https://`: {_IN_PLAIN}, and `aamic serve` answers so on its own machine alone",
        )
    elif not secrets:
        findings.warn(f"cluster `{spec.name}` is read over `http://`", place, _IN_PLAIN)


def _bad_address(spec: clusters.RemoteCluster, place: Place, findings: Findings) -> None:
    """Report brackets without an IPv6 address in them."""
    findings.error(
        f"the endpoint of cluster `{spec.name}` has no IPv6 address in its brackets",
        place,
        "such as `https://[fd00::1]:9443`; other addresses stand without brackets",
    )


def _secrets(spec: clusters.RemoteCluster) -> Iterator[str]:
    """The keys that are of use with TLS alone, or that others would read without it."""
    for key in ("api_key", "tls_cert", "tls_key", "tls_ca_cert"):
        if getattr(spec, key) is not None:
            yield key


def check_pair(spec: clusters.RemoteCluster | clusters.Serve | Grafana, path: Path, findings: Findings) -> None:
    """Report a certificate without its key, and a key without its certificate."""
    for have, lack in (("tls_cert", "tls_key"), ("tls_key", "tls_cert")):
        missing = getattr(spec, lack) is None and not findings.may_lack(*path, lack)
        if getattr(spec, have) is not None and missing:
            whose = f"cluster {shown(spec.name)}" if isinstance(spec, clusters.RemoteCluster) else f"`{path[0]}`"
            findings.error(
                f"{whose} has a `{have}` without a `{lack}`",
                findings.place(*path, have),
                "a certificate is of use only with its private key: `tls_key: {file: secrets/tls.key}`"
                if lack == "tls_key"
                else "name the certificate that the key belongs to: `tls_cert: tls.pem`",
            )
