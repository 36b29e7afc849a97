"""Keep one comment with the plan on a merge request of GitLab: the first run writes it, later ones change it.

The job's own token may not comment, so AAMIC_COMMENT_TOKEN is a project access token. It is sent in a header, and is
never an argument of a program. Usage: python3 ci/gitlab_comment.py plan.md
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from pathlib import Path
from typing import Any

MARK = "<!-- aamic plan -->"


def call(method: str, path: str, body: dict[str, str] | None = None) -> Any:
    """What GitLab's API answers; urllib.error.HTTPError if it refuses."""
    request = urllib.request.Request(  # noqa: S310  # the address is GitLab's own
        f"{os.environ['CI_API_V4_URL']}/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"PRIVATE-TOKEN": os.environ["AAMIC_COMMENT_TOKEN"], "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
        return json.load(response)


def earlier(notes: str) -> int | None:
    """The number of our comment, if there is one: ours by its author too, as anybody can write the mark."""
    me, page = call("GET", "user")["id"], 1
    while found := call("GET", f"{notes}?sort=asc&order_by=created_at&per_page=100&page={page}"):
        for note in found:
            if note["author"]["id"] == me and note["body"].startswith(MARK):
                return int(note["id"])
        page += 1
    return None


def main() -> None:
    """Write or change the comment."""
    project, request = os.environ["CI_MERGE_REQUEST_PROJECT_ID"], os.environ["CI_MERGE_REQUEST_IID"]
    notes = f"projects/{project}/merge_requests/{request}/notes"
    body = {"body": f"{MARK}\n{Path(sys.argv[1]).read_text(encoding='utf-8')}"}
    if (note := earlier(notes)) is None:
        call("POST", notes, body)
    else:
        call("PUT", f"{notes}/{note}", body)


if __name__ == "__main__":
    main()
