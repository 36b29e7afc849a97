"""What a server should read is what its rendered configuration lets it read."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from aamic.catalog.artifacts.prometheus.artifact import render
from aamic.compile.vectors import REMOTE_JOB
from aamic.model.fleet import Fleet
from aamic.ops.federationwanted import expected_servers
from tests.fleets import paired, sharded, single, thanos


@pytest.mark.parametrize("fleet", [single(), sharded(), paired(), thanos()])
def test_every_target_that_is_rendered_is_wanted_and_no_other(fleet: Fleet) -> None:
    names = {endpoint.job for endpoint in fleet.endpoints}
    wanted = [{(job, address) for job, address in each.targets if job not in names} for each in expected_servers(fleet)]
    rendered = [
        {(job["job_name"], address) for job in config["scrape_configs"] for address in addresses(job)}
        for config in configurations(fleet)
    ]

    assert wanted == [{pair for pair in those if not pair[0].startswith(REMOTE_JOB)} for those in rendered]
    assert any(job == "alertmanager" for those in wanted for job, _ in those)


def configurations(fleet: Fleet) -> list[Any]:
    files = [file for part in render(fleet) for file in part.files if file.path.endswith("/prometheus.yml")]
    return [yaml.safe_load(file.content) for file in files]


def addresses(job: dict[str, Any]) -> list[str]:
    return [address for config in job.get("static_configs", ()) for address in config["targets"]]
