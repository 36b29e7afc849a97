"""What takes part: how each program is told to do the work, and how its answer is judged."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from work import Work

PARALLEL: Final = 50
AAMIC: Final = Path(sys.executable).with_name("aamic")
BOTH: Final = ("plan", "change")
HERE: Final = Path(__file__).parent


@dataclass(frozen=True)
class Run:
    """A command, the folder that it runs in, and what it finds in its environment besides ours."""

    command: list[str | Path]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)


class Contender(Protocol):
    """`place` is the folder of its files on hosts, from their root; `is_slow`: one run must do."""

    name: str
    kinds: Sequence[str]
    is_slow: bool
    place: str

    def plan(self, form: int) -> Run:
        """Look how hosts differ from a form, and change nothing."""

    def change(self, form: int) -> Run:
        """Bring hosts from the other form to this one."""

    def found_no_change(self, printed: str) -> bool:
        """Whether it looked at all hosts and said that none differs."""


class Aamic:
    """The command line as it is used, with as many hosts in a wave as others work on at once."""

    is_slow = False
    place = ""

    def __init__(self, folder: Path, work: Work, processes: int) -> None:
        self.name = "aamic" if processes == 1 else f"aamic, {processes} processes"
        self.kinds = BOTH if processes == 1 else ("plan",)
        self._folder, self._work, self._processes = folder, work, processes
        last = work.hosts[-1][0].removeprefix("host-")
        self._limit = ("--limit", f"host-[001-{last}]", "--parallel", str(PARALLEL))

    def plan(self, form: int) -> Run:
        return self._run("plan", form, "--processes", str(self._processes))

    def change(self, form: int) -> Run:
        return self._run("apply", form, "--yes", "--canary", "0", "--batch", "100%")

    def found_no_change(self, printed: str) -> bool:
        return printed.startswith(f"no changes on {len(self._work.hosts)} hosts\n")

    def _run(self, verb: str, form: int, *options: str) -> Run:
        command = [AAMIC, verb, "--site", self._work.sites[form], *self._limit, *options]
        return Run(command, self._folder, {"XDG_STATE_HOME": str(self._folder)})


class Bare:
    """The limit: a tuned handshake and one command, by Fabric (as aamic has it) or asyncssh; it compares nothing."""

    kinds = BOTH
    is_slow = False

    def __init__(self, folder: Path, work: Work, library: str, python: Path) -> None:
        self.name = f"bare {library}"
        self.place = f"srv/{library}"
        self._folder, self._work, self._library, self._python = folder, work, library, python

    def plan(self, form: int) -> Run:  # noqa: ARG002  # it compares nothing
        paths = " ".join(f"/{self.place}{file.path}" for file in self._work.files)
        return self._order("look", f"sha256sum {paths}", None)

    def change(self, form: int) -> Run:
        archive = self._folder / f"{self._library}-{form}.tar"
        archive.write_bytes(self._work.archive(form))
        return self._order("change", f"tar -xf - -C /{self.place}", archive)

    def found_no_change(self, printed: str) -> bool:
        return not printed

    def _order(self, name: str, command: str, payload: Path | None) -> Run:
        farm = self._work.farm
        keys = dict(zip(farm.names, farm.public_keys, strict=True))
        order = self._folder / f"{self._library}-{name}.json"
        order.write_text(
            json.dumps(
                {
                    "port": farm.port,
                    "key": str(farm.key),
                    "hosts": [(address, keys[host]) for host, address in self._work.hosts],
                    "command": command,
                    "input": payload and str(payload),
                    "parallel": PARALLEL,
                }
            )
        )
        return Run([self._python, HERE / "peers" / "bare.py", self._library, order], self._folder)
