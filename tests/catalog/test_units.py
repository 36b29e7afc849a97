from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.catalog.units import account_files, install_entry, sysusers_file, tmpfiles_file, unit_file
from aamic.model.fleet import Package, Tarball, Unit
from aamic.model.tree import OnChange
from aamic.twin.units import read_unit
from tests.fleets import HOSTILE

CGROUPS = Path("/sys/fs/cgroup")
SYSTEMD = Path("/lib/systemd/systemd")
LINES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"])) | st.text("\"\\$%{} '#;")
ARGUMENTS = (
    "", " ", ";", "#", "a b", "$HOME", "${A}", "$$", "%n", "100%", "\\", "\\n", "\\x41", 'q"uo"te', "it's", "-", "@x",
    "ends\\", "^/(dev|proc)($|/)", "é 한", "\u2028", "\U0001f600", HOSTILE,
)  # fmt: skip


def unit(*arguments: str, **changes: object) -> Unit:
    values: dict[str, object] = {"name": "aami-x", "description": "X", "user": "aami-x"}
    return Unit(command=("/bin/true", *arguments), **(values | changes))  # type: ignore[arg-type]  # fields of Unit


def text(made: Unit) -> str:
    return unit_file(made).content.decode()


def settings(made: Unit) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text(made).splitlines() if re.match(r"[A-Za-z]+=", line))


@given(st.lists(LINES), st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,9}", fullmatch=True), LINES))
def test_arguments_and_environment_reach_the_program_as_they_are(
    arguments: list[str], environment: dict[str, str]
) -> None:
    program = read_unit(text(unit(*arguments, environment=environment)), {})
    assert program.command == ("/bin/true", *arguments)
    assert program.environment == environment


@pytest.mark.skipif(
    not (SYSTEMD.exists() and any(CGROUPS.iterdir())), reason="systemd is not installed, or the machine has no cgroups"
)
def test_systemd_itself_reads_the_arguments_as_they_are() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to other users
        Path(folder).chmod(0o755)  # systemd runs as another user
        assert systemd_arguments(Path(folder), unit(*ARGUMENTS)) == ["/bin/true", *ARGUMENTS]


def systemd_arguments(folder: Path, made: Unit) -> list[str]:
    """What systemd's own parser makes of `ExecStart=`, from the dump of its test mode, which refuses to run as root."""
    (folder / made.file_name).write_bytes(unit_file(made).content)
    run = subprocess.run(
        [SYSTEMD, "--test", "--user", f"--unit={made.file_name}"],
        env={"SYSTEMD_UNIT_PATH": f"{folder}:", "XDG_RUNTIME_DIR": "/tmp", "LC_ALL": "C.UTF-8"},  # noqa: S108  # only named
        user="nobody" if os.geteuid() == 0 else None,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    (line,) = re.findall(r"Command Line: (/bin/true.*)", run.stdout)
    words = re.findall(r'"((?:[^"\\]|\\.)*)"|([^ "]+)', line)
    unquoted = [re.sub(r"\\(.)", r"\1", quoted or bare) for quoted, bare in words]
    return [word.replace("$$", "$") for word in unquoted]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"reload": True, "writable": ("/var/lib/aami/x", "/srv/x")},
        {
            "capabilities": ("CAP_SYS_ADMIN", "CAP_PERFMON"),
            "private_devices": False,
            "supplementary_groups": ("video",),
        },
        {"memory_deny_write_execute": False, "protect_home": "read-only", "environment": {"A": HOSTILE}},
        {"description": HOSTILE, "user": "root", "after": (), "wants": ()},
    ],
)
def test_systemd_analyze_accepts_the_unit(tmp_path: Path, changes: dict[str, object]) -> None:
    made = unit(*ARGUMENTS, **changes)
    (tmp_path / made.file_name).write_bytes(unit_file(made).content)
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / made.file_name)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_a_changed_unit_restarts_its_service() -> None:
    file = unit_file(unit())
    assert file.path == "/etc/systemd/system/aami-x.service"
    assert file.on_change == OnChange("restart", "aami-x.service")


def test_a_unit_is_hardened() -> None:
    found = settings(unit())
    assert {key: found[key] for key in ("ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices")} == {
        "ProtectSystem": "full", "ProtectHome": "yes", "PrivateTmp": "yes", "PrivateDevices": "yes",
    }  # fmt: skip
    assert found["CapabilityBoundingSet"] == ""
    assert found["NoNewPrivileges"] == "yes"
    assert "ExecReload" not in found
    assert settings(unit(reload=True))["ExecReload"] == '/bin/sh -c "kill -HUP $MAINPID"'


@pytest.mark.parametrize(
    ("changes", "home", "tmp"),
    [
        ({"protect_home": "read-only"}, "read-only", "yes"),
        ({"writable": ("/home/aami/data",)}, "no", "yes"),
        ({"command": ("/bin/true", "--db=/root/x")}, "no", "yes"),
        ({"command": ("/tmp/exporter",)}, "yes", "no"),  # noqa: S108  # only named
        ({"writable": ("/var/tmp/x",)}, "yes", "no"),  # noqa: S108  # only named
        ({"command": ("/bin/true", "/homestead", "--x=/tmpfs")}, "yes", "yes"),
    ],
)
def test_hardening_hides_no_path_that_the_unit_names(changes: dict[str, object], home: str, tmp: str) -> None:
    values: dict[str, object] = {"name": "aami-x", "description": "X", "user": "aami-x", "command": ("/bin/true",)}
    found = settings(Unit(**(values | changes)))  # type: ignore[arg-type]  # fields of Unit
    assert (found["ProtectHome"], found["PrivateTmp"]) == (home, tmp)


def test_a_service_gets_its_user_and_folders() -> None:
    files = account_files("aami-x", "aami-y", ("/srv/my data", "/srv/z"))
    assert {file.path: file.content.decode() for file in files} == {
        "/etc/sysusers.d/aami-x.conf": 'u aami-y - "aami service" /var/lib/aami\n',
        "/etc/tmpfiles.d/aami-x.conf": 'd "/srv/my data" 0750 aami-y - -\nd /srv/z 0750 aami-y - -\n',
    }
    assert [file.on_change for file in files] == [OnChange("sysusers"), OnChange("tmpfiles")]


def test_root_needs_no_account_and_no_folder_needs_no_file() -> None:
    assert sysusers_file("aami-x", "root") == ()
    assert tmpfiles_file("aami-x", "root", ()) == ()


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("systemd-sysusers"), reason="needs root and systemd")
def test_systemd_makes_the_user_and_its_folders(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    for name in ("aami-x", "aami-z"):  # two services that share user and folder
        for file in account_files(name, "aami-y", ("/srv/data/x",)):
            path = tmp_path / file.path[1:]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
    for tool in (["systemd-sysusers"], ["systemd-tmpfiles", "--create"]):
        run = subprocess.run([*tool, f"--root={tmp_path}"], capture_output=True, text=True, timeout=20, check=False)
        assert run.returncode == 0, run.stderr
        assert "Conflict" not in run.stderr
        assert "Duplicate" not in run.stderr
    uid = int(re.findall(r"^aami-y:[^:]*:(\d+)", (tmp_path / "etc/passwd").read_text(), re.MULTILINE)[0])
    state = (tmp_path / "srv/data/x").stat()
    assert (state.st_uid, state.st_gid, state.st_mode & 0o777) == (uid, 0, 0o750)
    assert (tmp_path / "srv/data").stat().st_uid == 0


def test_where_a_program_comes_from_is_said_in_json() -> None:
    assert install_entry(Package("prometheus", "2.42.0")) == {"package": "prometheus", "version": "2.42.0"}
    assert install_entry(Tarball("https://x/y.tgz", "0" * 64, "y", "/opt/aami/bin/y")) == {
        "tarball": "https://x/y.tgz", "sha256": "0" * 64, "binary": "y", "installs_to": "/opt/aami/bin/y",
    }  # fmt: skip
