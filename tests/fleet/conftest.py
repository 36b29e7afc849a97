from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from tests.fleet.controller import Controller
from tests.fleet.host import Host, add_host, boot_all, wipe_all
from tests.fleet.program import Program, make_program
from tests.fleet.rack import Rack, can_boot, racked
from tests.fleet.slurm import Slurm, slurm_cluster
from tests.fleet.slurmsite import SlurmSite

NAMES = ("mon-01", "gpu-01", "gpu-02")


@pytest.fixture(scope="session")
def rack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rack]:
    """A rack to put hosts into with `add_host`; numbers 2 to 4 are taken by `hosts`, 20 to 22 by `slurm`."""
    if not can_boot():
        pytest.skip("needs root, systemd-nspawn, OpenSSH and sudo")
    with racked(tmp_path_factory.mktemp("rack")) as made:
        yield made


@pytest.fixture(scope="session")
def hosts(rack: Rack) -> Mapping[str, Host]:
    """Three running hosts for every test of the run. Whoever changes one calls its `wipe()` afterwards."""
    made = {name: add_host(rack, name, number) for number, name in enumerate(NAMES, 2)}
    boot_all(list(made.values()))
    return made


@pytest.fixture
def fresh_hosts(hosts: Mapping[str, Host]) -> Mapping[str, Host]:
    """The three hosts as on their first day, running."""
    wipe_all(list(hosts.values()))
    return hosts


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """aamic as one file, made once for every test of the run."""
    return make_program(tmp_path_factory.mktemp("program"))


@pytest.fixture(scope="session")
def slurm(rack: Rack) -> Slurm:
    """A Slurm cluster for every test of the run, numbered 20 to 22. Whoever changes it calls `reset()` afterwards."""
    return slurm_cluster(rack)


@pytest.fixture(scope="module")
def bare(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmSite]:
    """The Slurm cluster with a site to which nothing was applied yet; a module's tests share it."""
    hosts = {host.name: host for host in slurm.hosts}
    slurm.account()
    made = SlurmSite(slurm, Controller(tmp_path_factory.mktemp("site"), slurm.controller.rack, hosts))
    try:
        made.begin()
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def enforcing(bare: SlurmSite) -> SlurmSite:
    """The same with hooks that refuse jobs, and timers that a test starts itself."""
    bare.slurm.configure(bare.slurm.conf.without_hold())
    bare.add("job_mapping: true")
    bare.edit("install-hooks", "--enforce")
    bare.site.apply_all()
    bare.hold_timers()
    return bare


@pytest.fixture
def story(enforcing: SlurmSite) -> SlurmSite:
    """The same for one test, with everything well."""
    enforcing.recover()
    return enforcing
