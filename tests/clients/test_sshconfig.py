"""OpenSSH configurations that a site names: no lookup runs what they say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aamic.clients.sshconfig import read_ssh_config
from aamic.clients.sshconnect import Connector
from aamic.errors import OutsideError
from aamic.model.fleet import USER_SSH_CONFIG, SshSettings

SITE = """
cluster : {{name : lab}}
nodes :
  description : "
    {line} 'touch {mark}'
    User q"
ssh :
  config : site.yaml
"""


@pytest.mark.parametrize(
    "line",
    [
        "Match exec",
        "match\texec",
        "MATCH = exec",
        "Match Exec",
        "Match !exec",
        "Match host * exec",
        "Match originalhost gpu-1 !exec",
        "Match 'ex'ec",
        'Match "exec"',
        "Match final exec",
    ],
)
def test_a_configuration_of_the_site_that_would_run_something_is_refused(tmp_path: Path, line: str) -> None:
    mark = tmp_path / "mark"
    (tmp_path / "site.yaml").write_text(SITE.format(line=line, mark=mark))

    with pytest.raises(OutsideError, match=r"has `Match exec`, and a site may not run programs here") as error:
        Connector(SshSettings(config="site.yaml"), tmp_path, lambda _: None)

    assert error.value.hint == "take the `exec` out of it; ~/.ssh/config may have it, which is your own"
    assert not mark.exists()


def test_the_users_own_configuration_keeps_what_it_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/config").write_text("Match host gpu-1 exec true\n  Port 1\nHost gpu-2\n  Port 2\n")

    config = read_ssh_config(USER_SSH_CONFIG, tmp_path / "site")

    assert config.lookup("gpu-2")["port"] == "2"


def test_other_matches_of_a_site_are_read(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("# Match exec true\nMatch host gpu-*\n  User exec\nHost exec\n  Port 7\n")

    config = read_ssh_config("config", tmp_path)

    assert (config.lookup("gpu-1")["user"], config.lookup("exec")["port"]) == ("exec", "7")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config")

    with pytest.raises(OutsideError, match=r"cannot be read: it is no file"):
        read_ssh_config("config", tmp_path)
