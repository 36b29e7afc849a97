"""Files that are whole or not there: metrics for node_exporter's textfile collector, and others of the same kind."""

import math
import os
from typing import Dict, Iterable, List, NamedTuple, Tuple

Family = NamedTuple(
    "Family", [("name", str), ("type", str), ("help", str), ("samples", List[Tuple[Dict[str, str], float]])]
)
"""One metric: its samples are pairs of labels and value; without samples it is left out."""


def gauge(name: str, about: str, value: float) -> Family:
    """Return a gauge of one sample without labels."""
    return Family(name, "gauge", about, [({}, value)])


def exposition(families: Iterable[Family]) -> bytes:
    r"""Return the text of these families; labels in order of name, so that the same values give the same bytes.

    >>> print(exposition([Family("a", "gauge", "A.", [({"x": 'say "1"\n'}, 1.0)])]).decode(), end="")
    # HELP a A.
    # TYPE a gauge
    a{x="say \"1\"\n"} 1
    """
    lines = []
    for family in families:
        if family.samples:
            lines.append(f"# HELP {family.name} {_help(family.help)}")
            lines.append(f"# TYPE {family.name} {family.type}")
            lines += [f"{family.name}{_labels(labels)} {_number(value)}" for labels, value in family.samples]
    return "".join(line + "\n" for line in lines).encode("utf-8")


def replace(path: str, content: bytes, mode: int = 0o644) -> None:
    """Put a file at a path so that a reader sees the old or the new one, and a failure leaves the old one.

    Nothing that stands at the path or its temporary name is written through, as it may be a link. After a power cut
    the file is the old, the new, or an empty one: these files are written again within minutes.

    Raises:
        OSError: The folder is not there, is full or cannot be written to.
    """
    folder, name = os.path.split(path)
    made = os.path.join(folder, f".{name}.new")
    _discard(made)
    try:
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)  # whatever the umask
            file.write(content)
        os.rename(made, path)
    except OSError:
        _discard(made)
        raise


def _discard(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return  # what stands in the way is told by what comes next


def _labels(labels: Dict[str, str]) -> str:
    if not labels:
        return ""
    pairs = ",".join(f'{name}="{_escaped(labels[name])}"' for name in sorted(labels))
    return "{" + pairs + "}"


def _escaped(value: str) -> str:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return quoted.encode("utf-8", "replace").decode("utf-8")


def _help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))  # noqa: PLR2004  # beyond, digits are made up
