"""Lines of kernel logs, as dmesg, journalctl and syslog write them: when, on which host, and what the kernel said."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

_UPTIME: Final = r"\[\s*\d{1,12}\.\d{1,9}\]"
_DAY: Final = r"\[\w{3} \w{3}\s{1,2}\d{1,2} \d\d:\d\d:\d\d(?:\.\d{1,9})? \d{4}\]"
_ISO: Final = (
    r"(?:\w{3} )?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:\s?[+-]\d\d:?\d\d(?!\d)|Z|\s[A-Z]{2,5}(?=\s))?"
)
_SHORT: Final = r"[^\s:\[\]]{1,12}\s{1,2}\d{1,2} \d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
_UNIX: Final = r"\d{9,11}\.\d{1,9}"
_STAMP: Final = f"{_UPTIME}|{_DAY}|{_ISO}|{_SHORT}|{_UNIX}"
_PREFIX: Final = re.compile(
    r"\s{0,8}(?:<\d{1,3}>(?:1 )?)?"  # syslog's priority
    rf"(?:(?!kernel:)(?P<gathered>[\w.-]{{1,255}}):\s(?={_STAMP}))?"  # pdsh and clush name the host before all else
    r"(?:[a-z0-9]{1,10}\s{0,8}:[a-z]{1,10}\s{0,8}:\s)?"  # dmesg --decode
    rf"(?P<at>{_STAMP}):?\s"
    r"(?:(?P<host>[^\s:\[]{1,255}) (?P<program>[^\s:\[]{1,255})(?:\[\d{1,10}\])?:\s"
    # RFC 5424: number of the process, kind of the message, and data between brackets
    r"|(?P<host5>[^\s:\[]{1,255}) (?P<program5>[^\s:\[]{1,255}) (?:-|\d{1,10}) [^\s\[]{1,32} "
    r"(?:-|(?:\[[^\]]{0,1000}\]){1,16}) \ufeff?)?"
    rf"(?:{_UPTIME}\s?)?"
)
_KMSG: Final = re.compile(r"\d{1,4},\d{1,20},(?P<micros>\d{1,18}),[^;]{0,80};")
_LONGEST_NAME: Final = 255
_BYTE: Final = range(256)
_LISTED: Final = re.compile(rb'"MESSAGE"\s?:\s?\[')


_PACKED: Final = {
    b"\x1f\x8b": "it is packed: `zcat FILE | aamic explain`",
    b"\xfd7zXZ": "it is packed: `xzcat FILE | aamic explain`",
    b"\x28\xb5\x2f\xfd": "it is packed: `zstdcat FILE | aamic explain`",
    b"BZh": "it is packed: `bzcat FILE | aamic explain`",
    b"PK\x03\x04": "it is packed: `unzip -p FILE | aamic explain`",
    b"\x04\x22\x4d\x18": "it is packed: `lz4cat FILE | aamic explain`",
    b"\xff\xfe": "it is UTF-16: `iconv -f UTF-16 -t UTF-8 FILE | aamic explain`",
    b"\xfe\xff": "it is UTF-16: `iconv -f UTF-16 -t UTF-8 FILE | aamic explain`",
    b"LPKSHHRH": "it is a journal: `journalctl -k --file FILE | aamic explain`",
}
"""How files begin that are no text, and what makes text of them."""
_ARRAY: Final = re.compile(rb"\s*\[\s*\{")
_COLOUR: Final = re.compile(rb"\x1b\[[0-9;:]{0,40}m")
_LOOKED_AT: Final = 512
_MOST_NULS: Final = 8
"""A log that was cut short while somebody wrote it may have some, and many at its start."""


@dataclass(frozen=True, slots=True)
class Line:
    """A message of the kernel; `at` as it was written, `host` None where none stands there."""

    at: str | None
    host: str | None
    message: str


def packed(start: bytes) -> str | None:
    """What to do with a file that begins like this, if it is a log that is not text yet."""
    known = next((hint for magic, hint in _PACKED.items() if start.startswith(magic)), None)
    if known is None and _ARRAY.match(start):
        return "it is one array of JSON: `jq -c '.[]' FILE | aamic explain`"
    if known is None and start.lstrip(b"\0")[:_LOOKED_AT].count(0) > _MOST_NULS:
        return "give it the text of a log, as `dmesg` and `journalctl -k` print it"
    return known


def cleaned(line: bytes) -> bytes:
    r"""The line without colours, as of `dmesg --color=always`, and what a crash left before it.

    >>> cleaned(b"\x1b[33mNVRM: \x1b[0mXid")
    b'NVRM: Xid'
    """
    own = line.lstrip(b"\0")
    return _COLOUR.sub(b"", own) if b"\x1b" in own else own


def may_tell(line: bytes, markers: re.Pattern[bytes]) -> bool:
    """Whether it is worth to read the line: it has a marker, or the journal wrote its message as a list of bytes."""
    return markers.search(line) is not None or (line[:1] == b"{" and _LISTED.search(line) is not None)


def messages(line: bytes) -> Iterator[Line]:
    r"""The messages in a line of a log; none if somebody else than the kernel wrote it.

    >>> next(messages(b"Nov 24 17:09:15 gpu-017 kernel: [ 12.5] NVRM: Xid"))
    Line(at='Nov 24 17:09:15', host='gpu-017', message='NVRM: Xid')
    >>> list(messages(b"Nov 24 17:09:15 gpu-017 watcher[7]: saw NVRM: Xid"))
    []
    """
    text = line.decode(errors="replace").strip("\x1e\r\n")
    if text.startswith("{") and (entry := _entry(text)) is not None:
        yield from _of_journal(entry)
    elif found := _plain(text):
        yield found


def _plain(text: str) -> Line | None:
    if kmsg := _KMSG.match(text):
        micros = int(kmsg["micros"])
        return Line(f"{micros // 1_000_000}.{micros % 1_000_000:06}", None, text[kmsg.end() :])
    prefix = _PREFIX.match(text)
    if prefix is None:
        return Line(None, None, text)
    if (prefix["program"] or prefix["program5"]) not in {None, "kernel"}:
        return None
    host = prefix["host"] or prefix["host5"] or prefix["gathered"]
    return Line(prefix["at"].strip("[]").strip(), host, text[prefix.end() :])


def _entry(text: str) -> dict[str, Any] | None:
    """An entry of `journalctl -o json`; None if it is something else."""
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and "MESSAGE" in entry else None


def _of_journal(entry: dict[str, Any]) -> Iterator[Line]:
    """The journal keeps several lines in one entry, and writes bytes that are no text as a list of numbers."""
    writer = entry.get("_TRANSPORT", entry.get("SYSLOG_IDENTIFIER", "kernel"))
    if writer != "kernel":
        return
    host = entry.get("_HOSTNAME")
    for part in _text(entry["MESSAGE"]).split("\n"):
        at = _moment(entry.get("__REALTIME_TIMESTAMP"))
        yield Line(at, host[:_LONGEST_NAME] if isinstance(host, str) else None, part)


def _text(message: Any) -> str:
    if isinstance(message, str):
        return message
    if not isinstance(message, list):
        return ""
    return bytes(each for each in message if isinstance(each, int) and each in _BYTE).decode(errors="replace")


def _moment(micros: Any) -> str | None:
    """The journal's microseconds since 1970 as people write it."""
    try:
        return f"{datetime.fromtimestamp(int(micros) / 1e6, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (TypeError, ValueError, OverflowError, OSError):
        return None
