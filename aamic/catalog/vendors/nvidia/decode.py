"""What the kernel's line says about an XID beyond its number: `nvlink.yaml` beside this file explains the format.

Known are the NVLink codes 144 to 150, and the action that XID 154 announces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from aamic.catalog import knowledge
from aamic.catalog.gpuerrors import actions
from aamic.model.gpuerror import Detail

_LONGEST: Final = 1000
"""Characters of a line that are looked at: the driver writes some two hundred."""
_LINE: Final = re.compile(
    r"(?<!\w)(?P<unit>[A-Z][A-Za-z0-9_/]{1,39}(?: Degraded)?)\s+(?P<word>Fatal|Non-?fatal)\s+XC ?[0-9]\s+"
    r"i ?(?P<injected>[0-9])\s+Link\s+(?P<link>-?[0-9]{1,4})\s+[(\[](?P<words>(?:0x[0-9a-fA-F]{1,8}\b\s*){1,8})"
)
_RECOVERY: Final = re.compile(r"\bto\s+0x[0-9a-fA-F]+\s+\((?P<action>[^)]{1,40})\)")
_XID_154: Final = 154
_OLD: Final = 0x3FF
_NEW: Final = 0x7F
_NO_STATUS: Final = -1

Row = Mapping[str, Any]


def decode(code: int, detail: str) -> Detail | None:
    """What a line of the kernel log, or the part of it behind the code, says; None where it says nothing to decode.

    >>> found = decode(149, "NETIR_LINK_EVT  Fatal   XC0 i0 Link 09 (0x025525c6 0x00000000 0x00000000)")
    >>> found.unit, found.link, found.policy
    ('NETIR_LINK_EVT', 9, 'fatal')
    >>> found.meaning
    'NETIR_LINK_EVT on link 9, fatal: The other end of the link took it down. Packets may be lost.'

    Bits that the table does not have are not guessed from others:

    >>> print(decode(145, "RLW_REMAP Nonfatal XC0 i0 Link -1 (0x00000082 0x00000003)").meaning)
    RLW_REMAP, not fatal: The catalog does not have its status 0x00000003.
    """
    text = detail[:_LONGEST]
    if code == _XID_154:
        return _recovery(text)
    found = _LINE.search(text) if code in _codes() else None
    return _link(code, found) if found else None


def _link(code: int, line: re.Match[str]) -> Detail:
    words = [int(word, 16) for word in re.findall(r"0x[0-9a-fA-F]+", line["words"])]
    row, missing = _outcome(code, line["unit"], words[0], words[1] if len(words) > 1 else _NO_STATUS)
    fatal = line["word"] == "Fatal"
    if row is None:
        row = {**_unlisted(fatal=fatal), "meaning": f"The catalog does not have {missing}."}
        return _detail(line, row, known=False)
    if row["fatal"] != fatal:
        return _detail(line, {**row, **_surprise(row, fatal=fatal)}, known=True)
    return _detail(line, row, known=True)


def _unlisted(*, fatal: bool) -> dict[str, Any]:
    """The row for what is fatal or not by the line's word alone."""
    steps = ["RESET_GPU", "CONTACT_SUPPORT"] if fatal else ["CONTACT_SUPPORT"]
    return {"fault": "link", "severity": "critical" if fatal else "warning", "action": steps}


def _surprise(row: Row, *, fatal: bool) -> dict[str, Any]:
    """What is different where the line's word is not the catalog's."""
    if fatal:
        return {**_unlisted(fatal=True), "meaning": f"{row['meaning']} The catalog does not expect it to be fatal."}
    return {"severity": "warning", "meaning": f"{row['meaning']} The catalog expects it to be fatal."}


def _outcome(code: int, name: str, info: int, status: int) -> tuple[Row | None, str]:
    """The row of the catalog; or None, and what it does not have."""
    unit = next((unit for unit in _table()["units"] if unit["xid"] == code and name in unit["names"]), None)
    if unit is None:
        return None, f"this unit for XID {code}"
    if info & _OLD != unit["old"] and info & _NEW not in unit["new"]:
        return None, f"these bits 0x{info:08x} for its unit"
    reason = info >> 20 & 0x3F
    if "reason" in unit:
        return _named(unit["reason"].get(reason)), f"its reason {reason}"
    if reason:
        return None, f"these bits 0x{info:08x} for its unit"
    row = _named(unit["status"].get(status))
    if row and "promoted" in row and _promoted(unit, info):
        row = _named(row["promoted"])
    return row, f"its status 0x{status:08x}" if status >= 0 else "a line without a status"


def _promoted(unit: Row, info: int) -> bool:
    """Whether the bit is set that makes a milder error a fatal one."""
    return bool(info & unit["promotes"]["old" if info & _OLD == unit["old"] else "new"])


def _detail(line: re.Match[str], row: Row, *, known: bool) -> Detail:
    fatal, link, injected = line["word"] == "Fatal", int(line["link"]), bool(int(line["injected"]))
    words = [line["unit"] + (f" on link {link}" if link >= 0 else ""), "fatal" if fatal else "not fatal"]
    return Detail(
        unit=line["unit"],
        fatal=fatal,
        link=link if link >= 0 else None,
        injected=injected,
        meaning=f"{', '.join(words + ['injected for a test'] * injected)}: {row['meaning']}",
        # Ours: what is fatal takes the node out of service, unless the catalog asks for no reset of the GPU.
        policy=row.get("policy", "fatal") if fatal else "workflow",
        fault=row["fault"],
        severity=row.get("severity", "critical" if fatal else "info"),
        causes=tuple(row.get("causes", ())),
        actions=_steps(row["action"]),
        source=_table()["source"],
        known=known,
    )


def _recovery(text: str) -> Detail | None:
    found = _RECOVERY.search(text)
    row = _table()["recovery"].get(found["action"]) if found else None
    if row is None:
        return None
    return Detail(
        unit="",
        fatal=None,
        link=None,
        injected=None,
        meaning=row["meaning"],
        policy="ignored",
        fault="unknown",
        severity=row["severity"],
        causes=("the XID that stands beside it",),
        actions=_steps(row["action"]),
        source=_table()["source"],
    )


def _steps(steps: str | Iterable[str]) -> tuple[str, ...]:
    texts = actions("nvidia")
    return tuple(texts[step] for step in ([steps] if isinstance(steps, str) else steps))


def _named(name: str | None) -> Row | None:
    row: Row | None = _table()["outcomes"][name] if name else None
    return row


@cache
def _codes() -> frozenset[int]:
    return frozenset(unit["xid"] for unit in _table()["units"])


def _table() -> Row:
    return knowledge.table("nvidia", "nvlink.yaml")
