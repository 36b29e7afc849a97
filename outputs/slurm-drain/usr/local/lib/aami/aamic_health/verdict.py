"""The verdict file: what the node check tells the prolog, the epilog, and whoever reads it.

It is of lines `KEY VALUE` in printable ASCII, from `aamic-verdict 1` to `end`. `uptime` is when it was written, by
/proc/uptime, as other clocks jump; a verdict counts for three intervals from then.
"""

import re
from typing import Dict, List, NamedTuple, Optional

FILE = "verdict"
"""Its name below /run/aamic."""
STATES = ("ok", "warn", "fail", "unknown")
COUNTS_FOR = 3
"""Intervals."""
_FIRST, _LAST = "aamic-verdict 1", "end"
_LIMIT = 65_536
_WHOLE = re.compile(r"[0-9]{1,15}")


class Verdict(NamedTuple):
    """A verdict as it stands in a file; `gpus` are lines such as `3 fail XID 79`, `brake` is why no job is refused."""

    state: str
    uptime: int
    time: int
    interval: int
    refuse: bool
    score: Optional[int]
    reason: str
    brake: str
    gpus: List[str]


def text(verdict: Verdict) -> bytes:
    """Return the file's content; whatever stands in a reason, it stays on its line."""
    lines = [
        _FIRST,
        f"verdict {verdict.state}",
        f"uptime {verdict.uptime}",
        f"time {verdict.time}",
        f"interval {verdict.interval}",
        f"refuse {'yes' if verdict.refuse else 'no'}",
        f"score {'-' if verdict.score is None else verdict.score}",
        f"reason {plain(verdict.reason)}",
        f"brake {plain(verdict.brake)}",
    ]
    lines += [f"gpu {plain(each, 120)}" for each in verdict.gpus[:256]]
    return "".join(line + "\n" for line in [*lines, _LAST]).encode("ascii")


def plain(words: str, most: int = 400) -> str:
    r"""Return the words on one line of printable ASCII, shortened; `-` for none.

    >>> plain("two\nlines\t\x1b[31m")
    'two lines ?[31m'
    """
    line = "".join(char if " " <= char <= "~" else "?" for char in " ".join(words.split()))
    return (line if len(line) <= most else line[: most - 3] + "...").strip() or "-"


def parse(content: bytes) -> Verdict:
    """Return the verdict of a file's content.

    Raises:
        ValueError: It is none, or not a whole one.
    """
    lines = _lines(content)
    values: Dict[str, str] = {}
    gpus: List[str] = []
    for line in lines:
        key, _, value = line.partition(" ")
        if key == "gpu":
            gpus.append(value)
        elif key in values:
            raise ValueError(f"`{plain(key, 40)}` stands there twice")
        else:
            values[key] = value
    if values.get("verdict") not in STATES:
        raise ValueError("it has no verdict")
    return Verdict(
        state=values["verdict"],
        uptime=_whole(values, "uptime"),
        time=_whole(values, "time"),
        interval=_whole(values, "interval"),
        refuse=values.get("refuse") == "yes",
        score=None if values.get("score") == "-" else _whole(values, "score"),
        reason=values.get("reason", "-"),
        brake=values.get("brake", "-"),
        gpus=gpus,
    )


def _lines(content: bytes) -> List[str]:
    if len(content) > _LIMIT:
        raise ValueError("it is too long for a verdict")
    lines = content.decode("ascii").split("\n")
    if not all(line.isprintable() for line in lines):
        raise ValueError("it holds control characters")
    if len(lines) < 3 or lines[0] != _FIRST or lines[-2:] != [_LAST, ""]:  # noqa: PLR2004  # first, last, and a line end
        raise ValueError("it is not a whole verdict")
    return lines[1:-2]


def _whole(values: Dict[str, str], name: str) -> int:
    value = values.get(name, "")
    if not _WHOLE.fullmatch(value):
        raise ValueError(f"its `{name}` is no number")
    return int(value)


def counts(verdict: Verdict, uptime: float) -> bool:
    """Whether a verdict is of this boot and not too old."""
    return 0 <= uptime - verdict.uptime <= COUNTS_FOR * verdict.interval
