"""A bar on standard error while hosts are worked on; nothing where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Tick = Callable[[str, Any], None]


@contextmanager
def progress(title: str, total: int) -> Iterator[Tick]:
    """Yields what is to be called for each host that is done."""
    if not sys.stderr.isatty():
        yield lambda _host, _result: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda _host, _result: bar.advance(task)
