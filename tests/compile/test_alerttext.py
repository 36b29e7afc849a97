from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from aamic.catalog.artifacts.rules.artifact import rule_file
from aamic.compile import alerttext
from aamic.model.fleet import AlertRule, RuleGroup

GOOD = [
    "plain } }} text",
    "{{ $labels.node }} {{ $value | humanize }}",
    "{{ `{{` }} is two braces",
    '{{ printf "%.2f }} {{" $value }}',
    "{{ if gt $value 1.0 }}many{{ else if eq $value 1.0 }}one{{ else }}none{{ end }}",
    '{{ range query "up" }}{{ .Labels.instance }} {{ . | value }}{{ end }}',
    '{{ with $x := "a" }}{{ $x | toUpper }}{{ end }}',
    "{{- $value -}} {{/* end */}}",
    "{{ $externalLabels.cluster }} {{ .ExternalURL }}",
    "{{ humanizeDuration $value }}{{ true }}",
]
BAD = [
    ("{{ $value", "its text has a `{{` that is not closed by `}}`"),
    ("a {{ b {{ $value }}", "its text calls `b`, which templates do not have"),
    ('{{ printf "%d }}', "its text has a `{{` that is not closed by `}}`"),
    ("{{ $value | nosuch }}", "its text calls `nosuch`, which templates do not have"),
    ("{{ labels.node }}", "its text calls `labels`, which templates do not have"),
    ("{{ if $value }}x", "its text has an `{{ if }}`, `{{ range }}` or `{{ with }}` without `{{ end }}`"),
    ("x{{ end }}", "its text has an `{{ end }}` without a beginning"),
    ("{{ }}", "its text has an empty `{{ }}`"),
]


def accepted(text: str, folder: Path) -> bool:
    alert = AlertRule("Own", "up == 0", "info", text, "", "")
    (folder / "rules.yml").write_bytes(rule_file([RuleGroup("g", "shard", (alert,))]))
    done = subprocess.run(["promtool", "check", "rules", folder / "rules.yml"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("text", GOOD)
def test_what_prometheus_accepts_passes(text: str, tmp_path: Path) -> None:
    assert (list(alerttext.faults(text)), accepted(text, tmp_path)) == ([], True)


@pytest.mark.parametrize(("text", "message"), BAD)
def test_what_prometheus_refuses_is_told(text: str, message: str, tmp_path: Path) -> None:
    assert ([each for each, _ in alerttext.faults(text)][:1], accepted(text, tmp_path)) == ([message], False)
