from __future__ import annotations

from aamic.compile.outside import Outside, outside
from tests.sites import MINIMAL, checked

SITE = f"""{MINIMAL}
    ssh: {{key: ~/.ssh/aamic, known_hosts: keys/known, config: false}}
    racks: {{r1: {{nodes: "gpu-[1-2]", labels: {{env: prod, command: x}}}}}}
    alertmanager: {{nodes: mon}}
    notifications:
      slack: {{webhook_url: {{file: secrets/slack}}, channel: "#gpu"}}
      webhook: {{url: "https://example.com/x", token: {{env: HOOK}}}}
      pagerduty: {{routing_key: {{command: [pass, show, pd]}}}}
    exporters:
      custom:
        - name: mine
          port: 9200
          nodes: mon
          command: [/opt/mine]
          metrics: {{x_total: {{}}}}
          source: {{tarball: mine.tar.gz, sha256: {"a" * 64}, binary: mine/mine}}
        - name: theirs
          port: 9201
          nodes: mon
          command: [/opt/theirs]
          metrics: {{y_total: {{}}}}
          source: {{tarball: "https://example.com/t.tar.gz", sha256: {"a" * 64}, binary: t/t}}
"""


def test_keys_secrets_and_tarballs_are_outside_and_labels_are_not() -> None:
    assert set(outside(checked(SITE).site)) == {
        Outside("`ssh.key`", "file", "~/.ssh/aamic"),
        Outside("`ssh.known_hosts`", "file", "keys/known"),
        Outside("`notifications.slack.webhook_url`", "file", "secrets/slack"),
        Outside("`notifications.webhook.token`", "env", "HOOK"),
        Outside("`notifications.pagerduty.routing_key`", "command", "pass show pd"),
        Outside("`exporters.custom[0].source.tarball`", "file", "mine.tar.gz"),
    }


def test_a_site_that_needs_nothing_has_nothing_outside() -> None:
    assert outside(checked(MINIMAL).site) == ()
