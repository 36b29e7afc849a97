from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import jinja2
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

import aamic
from aamic import templates
from aamic.twin.units import split_words

PACKAGE = Path(aamic.__file__).parent
TEMPLATES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.j2"))
LINES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"])) | st.text("\"\\$%{} '#;")


def from_string(source: str, **values: object) -> str:
    return templates.environment().from_string(source).render(values)


@given(st.text())
@example("no")
@example("012")
@example("1:20")
@example("<<")
@example("=")
@example("\x85\u2028\ufeff")
@example("---")
def test_any_text_survives_yaml(text: str) -> None:
    quoted = templates.yaml_str(text)
    assert yaml.safe_load(f"a: {quoted}\n") == {"a": text}
    assert yaml.safe_load(f"{{a: {quoted}, b: [{quoted}, {quoted}]}}\n") == {"a": text, "b": [text, text]}
    assert yaml.safe_load(f"{quoted}: 1\n") == {text: 1}
    assert "\n" not in quoted


@given(st.dictionaries(st.text(), st.text()))
def test_any_mapping_survives_yaml(mapping: dict[str, str]) -> None:
    assert yaml.safe_load(templates.yaml_map(mapping)) == mapping


@given(st.lists(st.text()))
def test_any_list_survives_yaml(texts: list[str]) -> None:
    assert yaml.safe_load(templates.yaml_list(texts)) == texts


@pytest.mark.parametrize("text", ["gpu-001", "15s", "1h30m", "/var/lib/aami/x.json", "512GB", "a_b.c"])
def test_what_reads_well_stays_plain(text: str) -> None:
    assert templates.yaml_str(text) == text


@given(LINES)
def test_any_line_is_one_systemd_word(text: str) -> None:
    assert split_words(templates.systemd_word(text).replace("%%", "%")) == (text,)


@given(LINES)
def test_arguments_hold_no_lone_dollar_or_percent(text: str) -> None:
    quoted = templates.systemd_arg(text)
    assert "$" not in quoted.replace("$$", "")
    assert "%" not in quoted.replace("%%", "")


@pytest.mark.parametrize("text", ["a\nb", "\t", "\x00", "\x7f", "\ufdd0", "\ufffe", "\U0010ffff", "\ud800"])
@pytest.mark.parametrize("quote", [templates.systemd_word, templates.systemd_arg, templates.systemd_text])
def test_systemd_is_never_given_what_it_drops(quote: object, text: str) -> None:
    assert callable(quote)
    with pytest.raises(ValueError, match="cannot hold U"):
        quote(f"x{text}y")


def test_systemd_text_cannot_swallow_the_next_line() -> None:
    assert templates.systemd_text("100% \\ sure") == "100%% \\ sure"
    with pytest.raises(ValueError, match="backslash"):
        templates.systemd_text("ends in \\")


@pytest.mark.parametrize("text", ["a b", "a\n", "é", "$x", "%n"])
def test_plain_refuses_what_needs_quotes(text: str) -> None:
    with pytest.raises(ValueError, match="not a plain name"):
        templates.plain(text)


def test_a_bare_string_reaches_no_file() -> None:
    with pytest.raises(TypeError, match="'evil' would reach a file unquoted"):
        from_string("{{ name }}", name="evil")
    with pytest.raises(TypeError, match="unquoted"):
        from_string("{{ name | upper }}", name="evil")
    with pytest.raises(TypeError, match="unquoted"):
        from_string("{{ name | plain ~ other }}", name="a", other="evil")


def test_whole_numbers_need_no_filter() -> None:
    assert from_string("port: {{ port }}", port=9090) == "port: 9090"


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        from_string("{{ unknown }}")


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_compiles(name: str) -> None:
    assert templates.environment().get_template(name).name == name


def test_jinja_is_imported_only_to_render() -> None:
    source = (PACKAGE / "templates.py").read_text()
    modules = [node for node in ast.parse(source).body if isinstance(node, ast.Import)]
    assert "jinja2" not in {alias.name for node in modules for alias in node.names}
    code = "import sys, aamic.templates; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
