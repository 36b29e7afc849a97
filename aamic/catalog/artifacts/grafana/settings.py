"""grafana.ini: who may log in, where it listens, and that it calls nobody outside.

The settings are those of https://grafana.com/docs/grafana/v11.6/setup-grafana/configure-grafana/; what is not said here
is as Grafana has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from aamic.catalog.artifacts.grafana.words import ini
from aamic.model.fleet import Fleet, Grafana

FOLDER: Final = "/etc/aami/grafana"
STORAGE: Final = "/var/lib/aami/grafana"
PROVISIONING: Final = f"{FOLDER}/provisioning"
DASHBOARDS: Final = f"{FOLDER}/dashboards"
CERTIFICATE: Final = f"{FOLDER}/cert.pem"
PASSWORD: Final = "/etc/aami/secrets/grafana-admin-password"  # noqa: S105  # where the password stands
TLS_KEY: Final = "/etc/aami/secrets/grafana-tls-key"
HOME: Final = "aamic-overview"
"""The dashboard that people see first, where the site has it."""
_HEADER: Final = "# Rendered by aamic; a change made here is undone by the next apply.\n"

_FROM_FILE: Final = f"$__file{{{PASSWORD}}}"

Value = str | bool | int
Settings = Mapping[str, Value]
NOTHING_OUTSIDE: Final[Mapping[str, Settings]] = {
    "analytics": {
        "reporting_enabled": False,
        "check_for_updates": False,
        "check_for_plugin_updates": False,
        "feedback_links_enabled": False,
    },
    "news": {"news_feed_enabled": False},
    "snapshots": {"external_enabled": False},
    "public_dashboards": {"enabled": False},
    "cloud_migration": {"enabled": False},
    "plugins": {
        "preinstall_disabled": True,
        "plugin_admin_enabled": False,
        "public_key_retrieval_disabled": True,
    },
}
"""What calls grafana.com, gravatar.com or others by itself, or shows things of this Grafana to everybody."""


def grafana_ini(fleet: Fleet, grafana: Grafana) -> bytes:
    """The file as Grafana reads it."""
    return (_HEADER + "".join(_lines(fleet, grafana))).encode()


def _lines(fleet: Fleet, grafana: Grafana) -> Iterator[str]:
    for section, settings in _sections(fleet, grafana).items():
        yield f"\n[{section}]\n"
        for key, value in settings.items():
            yield f"{key} = {_written(value)}\n"


def _written(value: Value) -> str:
    """How a value stands in the file. Of all texts the password's alone is to be replaced, by what is in its file."""
    if isinstance(value, int):
        return str(value).lower()
    return value if value == _FROM_FILE else ini(value)


def _sections(fleet: Fleet, grafana: Grafana) -> dict[str, Settings]:
    url = root_url(fleet, grafana)
    return {
        "paths": {
            "data": STORAGE,
            "logs": f"{STORAGE}/log",
            "plugins": f"{STORAGE}/plugins",
            "provisioning": PROVISIONING,
        },
        "server": _server(grafana, url),
        "log": {"mode": "console"},
        "security": {
            "admin_user": grafana.admin_user,
            "admin_password": _FROM_FILE,
            "disable_gravatar": True,
            "cookie_secure": url.startswith("https://"),
        },
        "users": {"allow_sign_up": False, "allow_org_create": False},
        "auth.anonymous": {"enabled": grafana.anonymous, "org_role": "Viewer"},
        **NOTHING_OUTSIDE,
        **_home(fleet),
    }


def _server(grafana: Grafana, url: str) -> Settings:
    """Where it listens. A path in the URL is that of a proxy which passes it on: Grafana takes it off itself."""
    below = urlsplit(url).path.strip("/") != ""
    settings: Settings = {"http_port": grafana.port, "root_url": url, "serve_from_sub_path": below}
    if grafana.certificate is None:
        return {"protocol": "http", **settings}
    return {"protocol": "https", "cert_file": CERTIFICATE, "cert_key": TLS_KEY, **settings}


def root_url(fleet: Fleet, grafana: Grafana) -> str:
    """The URL at which people reach it; one of the site is written so that nothing of it is taken for a setting."""
    if grafana.root_url is not None:
        return grafana.root_url.replace("%(", "%25(").replace("${", "%24{")
    scheme = "http" if grafana.certificate is None else "https"
    return f"{scheme}://{fleet.address(grafana.host, grafana.port)}/"


def _home(fleet: Fleet) -> dict[str, Settings]:
    if all(dashboard.uid != HOME for dashboard in fleet.dashboards):
        return {}
    return {"dashboards": {"default_home_dashboard_path": f"{DASHBOARDS}/{HOME}.json"}}
