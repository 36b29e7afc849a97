"""A cluster as one page for people: no file beside it, no program in it, nothing fetched."""

from __future__ import annotations

from typing import Final

from aamic.model.api import Alerts, Health, Status

CSP: Final = ""
"""Value of the header `Content-Security-Policy` with which the page works."""


def page(status: Status, health: Health | None, alerts: Alerts | None) -> str:
    """The whole page; every text in it that comes from a site, a host or another cluster is escaped."""
    raise NotImplementedError
