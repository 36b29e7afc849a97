r"""The one Jinja environment: a value reaches a file only through a filter that quotes it for its place.

Templates stand beside the module that renders them and are named by their path below the package, such as
`catalog/unit.j2`. A template that prints a bare string fails, so that no name of a site can break a file:

    {{ name | yaml_str }}       a YAML scalar, plain where every YAML reader agrees that it is a string
    {{ names | yaml_list }}     a YAML flow sequence of strings
    {{ labels | yaml_map }}     a YAML flow mapping of strings
    {{ text | systemd_arg }}    a word of `ExecStart=`, where `$` is special
    {{ text | systemd_word }}   a word of any other setting that holds words, such as `Environment=`
    {{ texts | systemd_words }} several of these
    {{ text | systemd_text }}   the rest of a line, such as `Description=`
    {{ name | plain }}          a name or path that needs no quotes anywhere, or a ValueError
    {{ data | json }}           JSON
    {{ text | go_literal }}     text for a field that its reader takes for a Go template; quote the result further

Whole numbers need no filter.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    import jinja2


class Quoted(str):
    """Text that is safe at its place in a file. Only the filters make it."""

    __slots__ = ()


_YAML_PLAIN: Final = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*|([0-9]+(ms|[smhdwy]))+|[0-9]+[KMGTPE]?B")
_YAML_SINGLE: Final = re.compile(r"[ -&(-~]*[\"\\][ -&(-~]*")
"""Printable ASCII with a double quote or a backslash, which is easier to read between single quotes."""
_YAML_KEYWORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
_YAML_RAW: Final = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""Characters that JSON leaves as they are and YAML does not take inside quotes, or takes for a line break."""
_SYSTEMD_PLAIN: Final = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
_NONCHARACTERS: Final = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_SYSTEMD_REFUSED: Final = re.compile(rf"[\x00-\x1f\x7f\ud800-\udfff\ufdd0-\ufdef{_NONCHARACTERS}]")
"""Control characters would end or join lines; the others are no valid UTF-8 to systemd, which drops the setting."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9_@:./-]*")


def yaml_str(text: str) -> Quoted:
    r"""Quote a string for YAML, in block and flow context, for readers of version 1.1 and 1.2.

    >>> print(*map(yaml_str, ["gpu-001", "no", "1:20", 'up{job="node"}', "two\nlines"]))
    gpu-001 "no" "1:20" 'up{job="node"}' "two\nlines"
    """
    if _YAML_PLAIN.fullmatch(text) and text.lower() not in _YAML_KEYWORDS:
        return Quoted(text)
    if _YAML_SINGLE.fullmatch(text):
        return Quoted(f"'{text}'")
    return Quoted(_YAML_RAW.sub(_escape, orjson.dumps(text).decode()))


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def yaml_list(texts: Iterable[str]) -> Quoted:
    """Write strings as a YAML flow sequence.

    >>> yaml_list(["a", "10.0.0.1:9090"])
    '[a, "10.0.0.1:9090"]'
    """
    return Quoted(f"[{', '.join(map(yaml_str, texts))}]")


def yaml_map(texts: Mapping[str, str]) -> Quoted:
    """Write strings as a YAML flow mapping, in the order given.

    >>> yaml_map({"cluster": "seoul", "row": "1"})
    '{cluster: seoul, row: "1"}'
    """
    return Quoted("{" + ", ".join(f"{yaml_str(key)}: {yaml_str(text)}" for key, text in texts.items()) + "}")


def systemd_word(text: str) -> Quoted:
    r"""Quote one word of a systemd setting; `%` becomes literal.

    >>> systemd_word("A=50% off")
    '"A=50%% off"'

    Raises:
        ValueError: It holds a control character, or one that systemd does not take for UTF-8.
    """
    _check_line(text)
    if _SYSTEMD_PLAIN.fullmatch(text):
        return Quoted(text)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return Quoted(f'"{escaped}"')


def systemd_words(texts: Iterable[str]) -> Quoted:
    """Quote the words of a systemd setting that takes several.

    Raises:
        ValueError: As `systemd_word`.
    """
    return Quoted(" ".join(map(systemd_word, texts)))


def systemd_arg(text: str) -> Quoted:
    r"""Quote one argument of `ExecStart=`; `%` and `$` become literal.

    >>> systemd_arg("--path=/etc/aami"), systemd_arg("^(a|b)$")
    ('--path=/etc/aami', '"^(a|b)$$"')

    Raises:
        ValueError: As `systemd_word`.
    """
    return Quoted(systemd_word(text).replace("$", "$$"))


def systemd_text(text: str) -> Quoted:
    """Write a setting that systemd reads to the end of the line; `%` becomes literal.

    Raises:
        ValueError: As `systemd_word`, or it ends in a backslash, which would join the next line.
    """
    _check_line(text)
    if text.endswith("\\"):
        raise ValueError(f"a systemd setting cannot end in a backslash: {text!r}")
    return Quoted(text.replace("%", "%%"))


def _check_line(text: str) -> None:
    if found := _SYSTEMD_REFUSED.search(text):
        raise ValueError(f"a systemd unit cannot hold U+{ord(found[0]):04X}: {text!r}")


def plain(text: str) -> Quoted:
    """Pass a name or path of letters, digits and `_@:./-`.

    Raises:
        ValueError: It holds anything else.
    """
    if not _PLAIN.fullmatch(text):
        raise ValueError(f"not a plain name: {text!r}")
    return Quoted(text)


def go_literal(text: str) -> str:
    """Write text so that a Go template prints it as it is.

    >>> go_literal("#gpu {{ .Status }}")
    '#gpu {{"{{"}} .Status }}'
    """
    return text.replace("{{", '{{"{{"}}')


def json(data: Any) -> Quoted:
    """Write JSON on one line."""
    return Quoted(orjson.dumps(data).decode())


_FILTERS: Final = (
    yaml_str,
    yaml_list,
    yaml_map,
    systemd_arg,
    systemd_word,
    systemd_words,
    systemd_text,
    plain,
    json,
    go_literal,
)


def _only_quoted(value: Any) -> Any:
    import jinja2  # noqa: PLC0415  # already loaded when a template runs

    if isinstance(value, Quoted | int | jinja2.Undefined):
        return value
    raise TypeError(f"{value!r} would reach a file unquoted: pass it through a filter of `aamic.templates`")


@functools.cache
def environment() -> jinja2.Environment:
    """Make the environment, once: each template is compiled at its first use."""
    import jinja2  # noqa: PLC0415  # costs 50 ms, which only rendering should pay

    made = jinja2.Environment(
        loader=jinja2.PackageLoader("aamic", ""),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701  # HTML escaping is wrong in these files; `finalize` demands the right one
        finalize=_only_quoted,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    made.filters.update({function.__name__: function for function in _FILTERS})
    return made


def render(template: str, **values: Any) -> bytes:
    """Render the template at that path below the package, as UTF-8.

    Raises:
        TypeError: The template prints a string that passed no quoting filter.
        ValueError: A value cannot stand at its place in any quoting.
        jinja2.UndefinedError: The template reads a name that `values` lacks.
    """
    return environment().get_template(template).render(values).encode()
