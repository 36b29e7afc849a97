"""The steps of a run as they happen: bars on a terminal, one line for each step elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Step(Protocol):
    """Told how much of a step is done, and what there is to say about it."""

    def __call__(self, done: int, total: int, note: str = "") -> None: ...  # noqa: D102  # the class says it


class Steps(Protocol):
    """Shows the steps of a run."""

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show a step from entering the block until leaving it."""
        ...


def steps_on(console: Console) -> Steps:
    """Return the display that suits the console."""
    return _Bars(console) if console.is_terminal else _Lines(console)


class _Bars:
    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        columns = (
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task(title, total=None)

            def tell(done: int, total: int, note: str = "") -> None:
                progress.update(task, completed=done, total=total, description=f"{title} ({note})" if note else title)

            yield tell


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        since = time.monotonic()
        seen, noted = "done", ""

        def tell(done: int, total: int, note: str = "") -> None:
            nonlocal seen, noted
            seen = f"{done} of {total}"
            if note not in ("", noted):
                noted = note
                self._console.print(f"{title}: {note}", markup=False, highlight=False, soft_wrap=True)

        try:
            yield tell
        finally:
            self._console.print(
                f"{title}: {seen} after {time.monotonic() - since:.1f} s", markup=False, highlight=False
            )
