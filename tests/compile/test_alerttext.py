from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aamic.catalog.artifacts.rules.artifact import rule_file
from aamic.compile import alerttext
from aamic.model.fleet import AlertRule, RuleGroup

GOOD = [
    "",
    "plain } }} text",
    "{ $value }",
    "{{ $labels.node }} {{ $value | humanize }}",
    "{{$labels.node}}{{$value|humanize}}",
    "{{ `{{` }} is two braces",
    '{{ printf "%.2f }} {{" $value }}',
    "{{ $externalLabels.cluster }} {{ .ExternalURL }} {{ $externalURL }} {{ $.Value }} {{ $ }} {{ . }}",
    "{{ humanizeDuration $value }}{{ true }}{{ nil }}",
    '{{ index $labels "node" }}',
    '{{ (index $labels "node") | toUpper }}',
    '{{ (first (query "up")).Value }}',
    "{{ ((($value))) }}",
    "{{ $value | }}",
    "{{ 1 | $value }}{{ 1 | .Value }}{{ 1 | (len) }}",
    "{{\n$value\n|\thumanize\r\n}}",
    "{{ $labels.node.what }}{{ .a.b.c }}",
    "{{ . .5 }}{{ . .a }}",
    "{{ $labels.\u00fcber }}",
    "{{ .\u0663 }}",
    # variables
    "{{ $x := 1 }}{{ $x }}",
    "{{ $x:=1 }}{{ $x = 2 }}",
    "{{ $never = 1 }}",
    "{{ ($x := 1) }}{{ $x }}",
    "{{ $value := 1 }}{{ $value }}",
    "{{ $ := 1 }}{{ $1 := 2 }}{{ $1 }}",
    # control
    "{{ if gt $value 1.0 }}many{{ else if eq $value 1.0 }}one{{ else }}none{{ end }}",
    "{{ if $value }}a{{ else }}if{{ end }}",
    "{{ if $x := 1 }}{{ $x }}{{ else if $y := $x }}{{ $y }}{{ else }}{{ $x }}{{ $y }}{{ end }}",
    "{{ if 1 }}{{ else if 2 }}{{ else if 3 }}{{ end }}",
    "{{ if 1 }}{{ else if 2 }}{{ if 3 }}{{ else }}{{ end }}{{ else }}{{ end }}",
    '{{ range query "up" }}{{ .Labels.instance }}{{ end }}',
    '{{ range $s := query "up" }}{{ $s.Value }}{{ else }}none{{ end }}',
    '{{ range $i, $s := query "up" }}{{ if $i }}{{ break }}{{ else }}{{ continue }}{{ end }}{{ end }}',
    "{{ range $i, $value }}{{ end }}",
    "{{ range . }}{{ if 1 }}{{ break }}{{ end }}{{ end }}",
    '{{ with $x := "a" }}{{ $x | toUpper }}{{ else }}{{ $x }}{{ end }}',
    "{{ with $value }}{{ $.Labels }}{{ end }}",
    # definitions
    '{{ define "x" }}{{ . }}{{ end }}{{ template "x" $value }}{{ template "x" }}{{ template `x` }}',
    '{{ template "never" }}',
    '{{ block "x" $value }}{{ . }}{{ end }}',
    '{{ define "x" }} {{ end }}{{ define "x" }}a{{ end }}{{ define "x" }}{{/* c */}}{{ end }}',
    '{{ define "x" }}{{ $y := 1 }}{{ $y }}{{ end }}',
    '{{ if 1 }}{{ block "x" . }}{{ block "y" . }}{{ end }}{{ end }}{{ end }}',
    '{{ define "__alert_Own" }}{{ end }}',
    '{{ define "\\x61" }}a{{ end }}{{ define `\\x61` }}b{{ end }}',
    # trim markers and comments
    "a {{- $value -}} b",
    "{{- /* c */ -}}{{/* }} */}}{{- /* c */}}{{/*\n*/ -}}",
    "{{ $value   -}}",
    "{{/**/}}",
    # literals
    r'{{ "" }}{{ "\a\b\f\n\r\t\v\\\"\x41\101\u00e9\U0001F600" }}',
    r"{{ 'a' }}{{ '\'' }}{{ '\n' }}{{ '\x41' }}{{ '\377' }}{{ '\u00e9' }}{{ '日' }}{{ '" + "\"' }}",
    "{{ ``  }}{{ `a\\q\n'\"` }}",
    "{{ 0 }}{{ 017 }}{{ 0_7 }}{{ 0x1F }}{{ 0x_1f }}{{ 0b101 }}{{ 0o17 }}{{ 1_000 }}{{ -1 }}{{ +1 }}{{ -0 }}",
    "{{ 1. }}{{ .5 }}{{ -.5 }}{{ 1.5e3 }}{{ 1e-3 }}{{ 08.5 }}{{ 1_0.5_0e1_0 }}{{ 0x1p-2 }}{{ 0x.8p1 }}{{ 1e-999 }}",
    "{{ 1i }}{{ 1+2i }}{{ -1.5e3-.5i }}{{ 0x1p3i }}{{ 08i }}",
    "{{ 18446744073709551615 }}{{ -9223372036854775808 }}{{ 0xffffffffffffffff }}",
]
BAD = [
    # braces
    "{{ $value",
    "{{",
    "{{ }}",
    "{{}}",
    "{{- -}}",
    "{{-}}",
    "{{ - }}",
    "{{ -}}",
    "{{-$value}}",
    "{{ $value-}}",
    "{{ $value }",
    "{{ {{ $value }} }}",
    "{{ $value }}{{",
    "{{{ $labels.node }}",
    # names
    "{{ $value | nosuch }}",
    "{{ labels.node }}",
    '{{ tmpl "x" . }}',
    "{{ toDuration 1 }}",
    "{{ now }}",
    "{{ 日本 }}",
    "{{ $x }}",
    "{{ $x := 1 }}{{ $y }}",
    "{{ if $x := 1 }}{{ end }}{{ $x }}",
    "{{ range $x := . }}{{ end }}{{ $x }}",
    "{{ with 1 }}{{ $x := 1 }}{{ end }}{{ $x }}",
    '{{ define "x" }}{{ $value }}{{ end }}',
    '{{ block "x" . }}{{ $labels.node }}{{ end }}',
    "{{ $labels² }}",
    "{{ $é\u0301 }}",
    "{{ range $i, $x }}{{ end }}",
    # operators and signs
    "{{ $value > 1 }}",
    "{{ $value || 1 }}",
    "{{ $value && 1 }}",
    "{{ $value == 1 }}",
    "{{ $value + 1 }}",
    "{{ !$value }}",
    '{{ $labels["node"] }}',
    "{{ $labels. }}",
    "{{ $labels .node. }}",
    "{{ .. }}",
    "{{ . .. }}",
    "{{ humanize -$value }}",
    "{{ # }}",
    "{{ ; }}",
    "{{ @ }}",
    "{{ \\ }}",
    "{{ \x7f }}",
    "{{ : }}",
    "{{ = }}",
    "{{ := 1 }}",
    "{{ $x : 1 }}",
    "{{ $x=1 }}",
    "{{ $x := }}",
    "{{ 1 := 2 }}",
    "{{ len $x := 1 }}",
    "{{ $x, $y := 1 }}",
    "{{ range $x, $y, $z := . }}{{ end }}",
    "{{ range $x, 1 }}{{ end }}",
    "{{ range $x, }}{{ end }}",
    "{{ , }}",
    # pipelines and parentheses
    "{{ (1 }}",
    "{{ 1) }}",
    "{{ () }}",
    "{{ (len . }})",
    "{{ ( }}",
    "{{ ) }}",
    "{{ (1)(2) }}",
    "{{ len(.) }}",
    '{{ "a"$value }}',
    '{{ "a".b }}',
    "{{ nil.a }}",
    "{{ true.a }}",
    "{{ ..a }}",
    "{{ | humanize }}",
    "{{ $value | | humanize }}",
    '{{ "a" | "b" }}',
    "{{ 1 | 2 }}",
    "{{ 1 | . }}",
    "{{ 1 | nil }}",
    "{{ 1 | 'a' }}",
    "{{ 1 | true }}",
    # literals
    "{{ 'ab' }}",
    "{{ '' }}",
    "{{ 'a }}",
    "{{ '\\\" }}",
    "{{ '\\\"' }}",
    '{{ "\\q" }}',
    '{{ "\\\'" }}',
    '{{ "\\x4" }}',
    '{{ "\\400" }}',
    '{{ "\\08" }}',
    '{{ "\\ud800" }}',
    '{{ "\\U00110000" }}',
    '{{ "\\U0000d800" }}',
    '{{ "a\nb" }}',
    '{{ printf "%d }}',
    "{{ `a }}",
    "{{ 08 }}",
    "{{ 1.2.3 }}",
    "{{ 1x }}",
    "{{ 0x }}",
    "{{ 0b2 }}",
    "{{ 0o8 }}",
    "{{ 1__0 }}",
    "{{ 1_ }}",
    "{{ 0x1.8 }}",
    "{{ 1e }}",
    "{{ 1e999 }}",
    "{{ 0x1p99999 }}",
    "{{ 1+2 }}",
    "{{ 1i+2i }}",
    "{{ 1+i }}",
    "{{ 0x1+2i }}",
    "{{ 18446744073709551616 }}",
    "{{ +18446744073709551615 }}",
    "{{ -9223372036854775809 }}",
    f"{{{{ {'9' * 5000} }}}}",
    # control
    "{{ if $value }}x",
    "x{{ end }}",
    "{{ if }}x{{ end }}",
    "{{ with }}{{ end }}",
    "{{ range }}{{ end }}",
    "{{ else }}",
    "{{ else if 1 }}{{ end }}",
    "{{ if 1 }}{{ else }}{{ else }}{{ end }}",
    "{{ if 1 }}{{ else }}{{ else if 1 }}{{ end }}",
    "{{ if 1 }}{{ else 1 }}{{ end }}",
    "{{ if 1 }}{{ end 1 }}",
    "{{ if 1 }}{{ end }}{{ end }}",
    "{{ if 1 }}{{ else if }}{{ end }}",
    "{{ if 1 }}{{ else with 1 }}{{ end }}",
    "{{ with 1 }}{{ else with 1 }}{{ end }}",
    "{{ with 1 }}{{ else if 1 }}{{ end }}",
    "{{ range . }}{{ else if 1 }}{{ end }}",
    "{{ break }}",
    "{{ continue }}",
    "{{ range . }}{{ else }}{{ break }}{{ end }}",
    "{{ range . }}{{ break 1 }}{{ end }}",
    '{{ range . }}{{ block "x" . }}{{ break }}{{ end }}{{ end }}',
    "{{ printf if }}",
    "{{ 1 | end }}",
    # definitions
    "{{ if $value }}{{ template }}{{ end }}",
    "{{ template x }}",
    "{{ template 'x' }}",
    "{{ template $value }}",
    '{{ template "x" 1 | 2 }}',
    '{{ template "\\q" }}',
    "{{ define }}{{ end }}",
    '{{ define "x" . }}{{ end }}',
    '{{ define "x" }}',
    '{{ define "x" }}{{ else }}{{ end }}',
    '{{ block "x" }}{{ end }}',
    '{{ block "x" . }}{{ else }}{{ end }}',
    '{{ if 1 }}{{ define "x" }}{{ end }}{{ end }}',
    '{{ define "x" }}{{ define "y" }}{{ end }}{{ end }}',
    '{{ define "x" }}a{{ end }}{{ define "x" }}b{{ end }}',
    '{{ define "x" }}a{{ end }}{{ block `x` . }}b{{ end }}',
    '{{ define "日\\x61" }}a{{ end }}{{ define `日a` }}b{{ end }}',
    '{{ define "__alert_Own" }}x{{ end }}',
    # comments
    "{{ /* c */ }}",
    "{{/* c */ }}",
    "{{/* c */  -}}",
    "{{/* c */-}}",
    "{{-/* c */}}",
    "{{/* c }}",
    "{{/*/}}",
    "{{/* c */ $value }}",
    "{{ $value /* c */ }}",
]
FUNCTIONS = (
    "and or not len index slice print printf println html js urlquery call eq ne lt le gt ge query first "
    "label value sortByLabel strvalue args reReplaceAll safeHtml match title toUpper toLower graphLink "
    "tableLink stripPort stripDomain humanize humanize1024 humanizeDuration humanizePercentage "
    "humanizeTimestamp toTime externalURL pathPrefix parseDuration tmpl now toDuration urlQueryEscape "
    "sortByValue join safeUrl trimSpace date tz since nosuch "
)
TOLD = [
    (
        "{{ $value ",
        "its text has a `{{` that is not closed by `}}`",
        "for two braces as they are, write {{ `{{` }}",
    ),
    ('{{ printf "%d }}', 'its text opens a " inside `{{ }}` and does not close it', None),
    ("{{ }}", "its text has an empty `{{ }}`", None),
    ("{{ $value | humanise }}", "its text calls `humanise`, which templates do not have", "did you mean `humanize`?"),
    ("{{ labels.node }}", "its text calls `labels`, which templates do not have", "did you mean `$labels`?"),
    ("{{ $lables.node }}", "its text uses `$lables`, which it does not have", "did you mean `$labels`?"),
    (
        "{{ $x }}",
        "its text uses `$x`, which it does not have",
        "it has `$labels`, `$externalLabels`, `$externalURL`, `$value`",
    ),
    (
        '{{ define "x" }}{{ $value }}{{ end }}',
        "its text uses `$value`, which it does not have",
        "a definition sees only what is passed to it, as `.`",
    ),
    (
        "{{ $value > 1 }}",
        "its text has `>` inside `{{ }}`, where it means nothing",
        "to compare, write {{ if gt $value 1.0 }}: eq, ne, lt, le, gt, ge are functions",
    ),
    ("{{ $value || 1 }}", "its text has a `|` where it cannot stand", "for a choice, write {{ or a b }}"),
    (
        '{{ $labels["node"] }}',
        "its text has `[` right after `$labels`",
        'for a label by its name, write {{ index $labels "name" }}',
    ),
    (
        "{{ $labels. }}",
        "its text has `.` right after `$labels`",
        "a field follows at once, such as `$labels.node`",
    ),
    (
        "{{ humanize -$value }}",
        "its text has `-`, which is no number",
        "templates do not calculate; let the expression do it",
    ),
    ("{{ 08 }}", "its text has `08`, which is no number", None),
    (
        "{{ 'ab' }}",
        "its text has `'ab'`, which is no literal of Go",
        'a text stands in "double quotes" or `backquotes`',
    ),
    ('{{ "\\q" }}', 'its text has `"\\q"`, which is no literal of Go', "for a backslash, write two"),
    ("{{ (1 }}", "its text has a `(` that is not closed by `)`", None),
    ("{{ 1) }}", "its text has a `)` without a `(`", None),
    ("{{ () }}", "its text has an empty `( )`", None),
    (
        '{{ "a" | "b" }}',
        'its text has `"b"` after a `|`, where a function must stand',
        "for a choice, write {{ or a b }}",
    ),
    (
        "{{ /* c */ }}",
        "its text has `/` inside `{{ }}`, where it means nothing",
        "a comment is {{/* so */}}, without a space at its braces",
    ),
    (
        "{{/* c */ }}",
        "its text has a comment that does not end with `*/}}`",
        "a comment is {{/* so */}}, without a space at its braces",
    ),
    ("{{ if $value }}x", "its text has an opening `{{ if }}` without `{{ end }}`", None),
    ("{{ if }}x{{ end }}", "its text has an opening `{{ if }}` without a value", None),
    ("x{{ end }}", "its text has an `{{ end }}` without a beginning", None),
    ("{{ else }}", "its text has an `{{ else }}` without a beginning", None),
    ("{{ if 1 }}{{ else }}{{ else }}{{ end }}", "its text has a second `{{ else }}` in one `{{ if }}`", None),
    ("{{ break }}", "its text has `{{ break }}` outside of a `{{ range }}`", None),
    ("{{ template }}", "its text has a `{{ template }}` without a name in quotes", None),
    (
        "{{ '\x1b\x1b' }}",
        "its text has `'\\x1b\\x1b'`, which is no literal of Go",
        'a text stands in "double quotes" or `backquotes`',
    ),
]


def verdicts(texts: Sequence[str], folder: Path) -> list[bool]:
    """What Prometheus' own parser says of each text, as the texts of the rules of one file."""
    rules = tuple(AlertRule("Own", "up == 0", "info", text, "", "") for text in texts)
    path = folder / "rules.yml"
    path.write_bytes(rule_file([RuleGroup("g", "shard", rules)]))
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False)
    refused = {int(number) for number in re.findall(r'group "g", rule (\d+), "Own"', done.stderr)}
    assert (done.returncode == 0) == (not refused), done.stderr
    return [number not in refused for number, _ in enumerate(texts, 1)]


def accepted(text: str) -> bool:
    return not list(alerttext.faults(text))


def disagreements(texts: Sequence[str], folder: Path) -> list[tuple[str, bool]]:
    pairs = zip(texts, verdicts(texts, folder), strict=True)
    return [(text, theirs) for text, theirs in pairs if accepted(text) != theirs]


def test_what_prometheus_accepts_passes(tmp_path: Path) -> None:
    theirs = verdicts(GOOD, tmp_path)
    assert [(text, list(alerttext.faults(text)), ok) for text, ok in zip(GOOD, theirs, strict=True)] == [
        (text, [], True) for text in GOOD
    ]


def test_what_prometheus_refuses_is_refused(tmp_path: Path) -> None:
    theirs = verdicts(BAD, tmp_path)
    assert [(text, accepted(text), ok) for text, ok in zip(BAD, theirs, strict=True)] == [
        (text, False, False) for text in BAD
    ]


def test_the_functions_are_those_of_prometheus(tmp_path: Path) -> None:
    assert disagreements([f"{{{{ {name} }}}}" for name in FUNCTIONS.split()], tmp_path) == []


def test_every_beginning_of_a_good_text_is_judged_as_prometheus_does(tmp_path: Path) -> None:
    beginnings = sorted({text[:length] for text in GOOD for length in range(len(text))})
    assert disagreements(beginnings, tmp_path) == []


@pytest.mark.parametrize(("text", "message", "hint"), TOLD)
def test_what_is_wrong_is_told(text: str, message: str, hint: str | None) -> None:
    assert list(alerttext.faults(text)) == [(message, hint)]


def test_all_unknown_names_are_told_at_once() -> None:
    assert [message for message, _ in alerttext.faults("{{ $x }}{{ $value | nosuch }}{{ ; }}{{ $y }}")] == [
        "its text uses `$x`, which it does not have",
        "its text calls `nosuch`, which templates do not have",
        "its text has `;` inside `{{ }}`, where it means nothing",
    ]


def test_one_text_has_no_more_faults_than_one_reads() -> None:
    assert len(list(alerttext.faults("{{ nosuch }}" * 1000))) == 10


@pytest.mark.parametrize("text", ["{{ if 1 }}" * 50_000, "{{ " + "(" * 50_000, '{{ block "x" . }}' * 50_000])
def test_what_nests_too_deep_is_told(text: str) -> None:
    assert list(alerttext.faults(text)) == [("its text nests more than 60 deep", "write it flatter")]


def test_a_long_chain_of_conditions_is_not_deep(tmp_path: Path) -> None:
    text = "{{ if 1 }}" + "{{ else if 2 }}" * 300 + "{{ else }}{{ end }}"
    assert (accepted(text), verdicts([text], tmp_path)) == (True, [True])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{ $labels.node }}{{ $labels.gpu | title }}{{ printf `%s` $labels.rack }}", ["node", "gpu", "rack"]),
        ("$labels.node {{ `$labels.node` }}{{/* $labels.node */}}", []),
        ("{{ .Labels.node }}{{ $.Labels.gpu }}{{ .Labels }}{{ $labels }}{{ .labels.node }}", ["node", "gpu"]),
        ("{{ if $labels.a }}{{ .Labels.b }}{{ else if .Labels.c }}{{ .Labels.d }}{{ end }}", ["a", "b", "c", "d"]),
        ("{{ range . }}{{ .Labels.a }}{{ $.Labels.b }}{{ $labels.c }}{{ else }}{{ .Labels.d }}{{ end }}", list("bcd")),
        ("{{ with .Labels.a }}{{ .Labels.b }}{{ else }}{{ .Labels.c }}{{ end }}{{ .Labels.d }}", list("acd")),
        ('{{ block "x" .Labels.a }}{{ .Labels.b }}{{ $.Labels.c }}{{ end }}{{ .Labels.d }}', ["a", "d"]),
        ('{{ define "x" }}{{ $labels := . }}{{ $labels.a }}{{ end }}{{ $labels.b }}', ["b"]),
        ("{{ with $labels := 1 }}{{ $labels.a }}{{ end }}{{ $labels.b }}", ["b"]),
        ("{{ $labels.node }}{{ $labels.gpu", ["node"]),
    ],
)
def test_the_labels_of_the_alert_that_a_text_shows(text: str, shown: list[str]) -> None:
    assert alerttext.labels(text) == shown


VALUES = ["$value", "$labels.a", ".", ".a.b", "$", "$x", '"s"', "`r`", "'c'", "1", "nil", "true", "(len .)", "(.a).b"]
WORDS = [*VALUES, "humanize", "printf", "nosuch", "if", "end", "|", "|", " ", " ", ",", ":=", "=", "$x := ", "(", ")"]
SIGNS = [
    "{{",
    "}}",
    "{{-",
    "-}}",
    "/*",
    "*/",
    "-",
    "\\",
    '"',
    "'",
    "`",
    "\\n",
    "\\x4",
    "[",
    "²",
    "٣",
    "日",
    "\t",
    "\r\n",
]
ACTIONS = [
    *("{{ $x := 1 }}", "{{ $x }}", "{{ $x = 2 }}", "{{ ($y := 1) }}", "{{ $y }}", "text", " ", "{{/* c */}}"),
    *("{{ if $value }}", "{{ else if $x }}", "{{ else }}", "{{ end }}", "{{ end }}", "{{ end }}", "{{ with . }}"),
    *("{{ range $x, $y := . }}", "{{ range . }}", "{{ break }}", "{{ continue }}", "{{ with $x := 1 }}"),
    *('{{ define "a" }}', '{{ define "b" -}}', '{{ block "a" . }}', '{{ template "a" $y }}', '{{ template "a" }}'),
]
NUMBERS = [*"0123456789._eEpPi+-a", "0x", "0b", "0o", "00", "308", "9223372036854775807", "18446744073709551615"]
ESCAPES = ["\\", "\\x", "\\u", "\\U", "\\U0010", "\\0", "d800", "ffff", "41", "377", "4", "n", "'", '"', "é", "\n"]


def several(parts: Sequence[str], most: int) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(parts), min_size=1, max_size=most).map("".join)


BODIES = (
    several(WORDS, 6)
    | several(NUMBERS, 6)
    | several(ESCAPES, 4).flatmap(lambda body: st.sampled_from([f'"{body}"', f"'{body}'"]))
)
TEXTS = several(ACTIONS, 9) | several([*WORDS, *SIGNS], 9) | BODIES.map("{{{{ {} }}}}".format) | st.text(max_size=9)


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(texts=st.lists(TEXTS, min_size=100, max_size=300))
def test_any_text_is_judged_as_prometheus_does(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    assert disagreements(texts, tmp_path_factory.mktemp("rules")) == []


USUAL = ["{{ $labels.node }}", "{{ $value }}", "{{ $value | humanize }}", "{{ $value | humanize1024 }}", "{", "}}", "a"]


@given(several(USUAL, 6))
def test_the_quick_way_finds_what_the_parser_finds(text: str) -> None:
    parsed = "{{ true }}" + text
    assert (list(alerttext.faults(text)), alerttext.labels(text)) == (
        list(alerttext.faults(parsed)),
        alerttext.labels(parsed),
    )
