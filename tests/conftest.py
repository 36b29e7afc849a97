from __future__ import annotations

import os
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

IN_CI = os.environ.get("CI") == "true"
NEED_HOSTS = os.environ.get("AAMIC_REQUIRE_HOSTS") == "1"

# A shared machine is slow at times: a law is about results, not about time. CI tries the same examples each time, so
# that it judges the change; everybody else's runs look for new ones.
settings.register_profile("aamic", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=IN_CI)
settings.load_profile("aamic")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI everything is there that a test may need: one that cannot run has failed."""
    report = yield
    asked = "CI=true" if IN_CI else "AAMIC_REQUIRE_HOSTS=1" if NEED_HOSTS and boots_hosts(item) else ""
    if report.skipped and asked and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, but with {asked} it must run: {report.longrepr}"
    return report


def boots_hosts(item: pytest.Item) -> bool:
    """Whether a test uses hosts of tests/fleet."""
    return "rack" in getattr(item, "fixturenames", ())
