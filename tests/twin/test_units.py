import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.templates import systemd_arg
from aamic.twin.units import UnitError, read_unit, split_words

ARGUMENT = st.text(st.characters(codec="utf-8", exclude_characters="\0\n\r"), max_size=30)


def service(*lines: str) -> str:
    return "\n".join(("[Unit]", "Description=ExecStart=/no", "[Service]", *lines, "[Install]", "WantedBy=x", ""))


def quoted(word: str) -> str:
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(st.lists(ARGUMENT, min_size=1))
def test_quoted_words_come_back(words: list[str]) -> None:
    assert split_words("  ".join(quoted(word) for word in words)) == tuple(words)


@given(st.lists(ARGUMENT))
def test_a_command_with_percent_and_dollar_escaped_comes_back(words: list[str]) -> None:
    line = " ".join(quoted(word).replace("%", "%%").replace("$", "$$") for word in words)

    program = read_unit(service(f"ExecStart=/usr/bin/true {line}"), {})

    assert program.command == ("/usr/bin/true", *words)


@given(st.lists(st.text(st.characters(min_codepoint=32, codec="utf-8", exclude_characters="\x7f"), max_size=30)))
def test_what_the_templates_quote_comes_back(words: list[str]) -> None:
    arguments = []
    for word in words:
        try:
            arguments.append((word, systemd_arg(word)))
        except ValueError:
            continue

    program = read_unit(service("ExecStart=/bin/true " + " ".join(quoted for _, quoted in arguments)), {})

    assert program.command == ("/bin/true", *(word for word, _ in arguments))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", ()),
        ("a  b\tc", ("a", "b", "c")),
        ("--a='b c'd", ("--a=b cd",)),
        ('""', ("",)),
        (r"a\sb \t \x41\101\u00e9\U0001f600 \"x\"", ("a b", "\t", "AAé😀", '"x"')),
        (r"'it\'s'", ("it's",)),
    ],
)
def test_words(line: str, words: tuple[str, ...]) -> None:
    assert split_words(line) == words


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('a "b', 'a quote stays open: `"`'),
        (r"a\q", "unknown escape `\\q`"),
        (r"a\xff", "unknown escape `\\x`"),
    ],
)
def test_what_cannot_be_split(line: str, message: str) -> None:
    with pytest.raises(UnitError) as caught:
        split_words(line)

    assert str(caught.value) == message


def test_a_unit_with_variables_specifiers_and_continued_lines() -> None:
    program = read_unit(
        service(
            "# ExecStart=/bin/false",
            'Environment=A=1 "B=x y"',
            "Environment=C=%H",
            "ExecStart=",
            "ExecStart=-/usr/bin/prometheus \\",
            "  --a=${A} \\",
            "  $B ${B} $$B 5%% %H",
        ),
        {"H": "mon-01"},
    )

    assert program.command == ("/usr/bin/prometheus", "--a=1", "x", "y", "x y", "$B", "5%", "mon-01")
    assert program.environment == {"A": "1", "B": "x y", "C": "mon-01"}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), "expected one `ExecStart=` and found 0"),
        (("ExecStart=/a", "ExecStart=/b"), "expected one `ExecStart=` and found 2"),
        (("ExecStart=/a %i",), "the twin does not know the specifier `%i`"),
        (("Environment=A", "ExecStart=/a"), "`Environment=A` sets nothing"),
    ],
)
def test_a_unit_that_cannot_be_run(lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(UnitError) as caught:
        read_unit(service(*lines), {"H": "mon-01"})

    assert str(caught.value) == message
