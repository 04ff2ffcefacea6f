"""Run `convcalc check` for action.yml, with annotations and the summary of the step, then write one comment.

All inputs are environment variables. The exit code is that of `convcalc check`, even if the comment fails.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from convcalc.formats import write
from convcalc.report import Column, Report, Table

STATUS = {0: "kept", 1: "broken"}
MOST = 60_000  # GitHub takes 65,536 characters
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "TOKEN"}
COLUMNS = ("network", "limit on", "value", "limit", "headroom", "most of it")


def main() -> int:
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text("utf-8"))
    base = os.environ["BASE"] or fetched(os.environ.get("GITHUB_BASE_REF", ""))
    folder = Path(os.environ["RUNNER_TEMP"])
    report, page = folder / "convcalc.json", folder / "convcalc.md"
    for path in (report, page):
        path.unlink(missing_ok=True)
    specs = [line.strip() for line in os.environ["SPECS"].splitlines() if line.strip()]
    options = ["--report=github=-", f"--report=json={report}", f"--report=markdown={page}"]
    options += [f"--base={base}"] if base else []
    options += [f"--config={os.environ['CONFIG']}"] if os.environ["CONFIG"] else []
    program = str(folder / "convcalc" / "bin" / "convcalc")  # not `python -m`, which would read modules of the checkout
    ran = subprocess.run([program, "check", *options, "--", *specs], env=ENVIRONMENT, check=False)
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as stream:
        stream.write(f"status={STATUS.get(ran.returncode, 'unusable')}\nreport={report}\n")
    number = (event.get("pull_request") or {}).get("number")
    if number and os.environ["COMMENT"] != "never":
        found = json.loads(report.read_text("utf-8")) if report.exists() else {"tables": [], "error": {}}
        text = body(found, page.read_text("utf-8") if page.exists() else "", base)
        comment(number, text, os.environ["COMMENT"] == "always" or ran.returncode != 0 or has_changes(base))
    return ran.returncode


def fetched(branch: str) -> str:
    """Fetch the base branch of a pull request and return its revision, or "" if there is none."""
    if not branch:
        return ""
    shallow = ["git", "rev-parse", "--is-shallow-repository"]
    is_shallow = subprocess.run(shallow, capture_output=True, check=False).stdout.strip() == b"true"
    depth = ["--depth=1"] if is_shallow else []
    ran = subprocess.run(["git", "fetch", "--quiet", *depth, "origin", f"refs/heads/{branch}"], check=False)
    if ran.returncode:
        say("warning", f"the base branch {branch} could not be fetched: limits on growth cannot be checked")
        return ""
    head = subprocess.run(["git", "rev-parse", "FETCH_HEAD"], capture_output=True, check=True)
    return head.stdout.decode().strip()


def has_changes(base: str) -> bool:
    """Whether a file that may be a network or a configuration differs from the base; True without a base."""
    files = [":/*.yaml", ":/*.yml", ":/*.toml"]
    return not base or subprocess.run(["git", "diff", "--quiet", base, "--", *files], check=False).returncode != 0


def body(report: dict[str, Any], page: str, base: str) -> str:
    """The text of the comment: the verdict, the limits that are exceeded, and a folded part with all limits."""
    rows = [(table["title"], row) for table in report["tables"] for row in table["rows"]]
    broken = [(title, row) for title, row in rows if row["level"] == "error"]
    warned = [(title, row) for title, row in rows if row["level"] == "warn"]
    verdict = f"{len(broken)} of {len(rows)} broken" if broken else f"all {len(rows)} hold"
    if "error" in report:
        verdict = "a spec cannot be checked, see the log"
    parts = [f"<!-- convcalc:{os.environ['KEY']} -->", f"### Architecture budgets: {verdict}"]
    if broken or warned:
        parts.append(markdown([[title, *cells(row)] for title, row in [*broken, *warned]]))
    against = f" against {base[:10]}" if base else ""
    note = f"<sub>{os.environ['GITHUB_SHA'][:10]}{against}. The same here: `convcalc check`.</sub>"
    room = MOST - sum(map(len, parts)) - len(note)
    if len(page) > room:
        page = page[: max(0, room)].rpartition("\n")[0] + "\n\n(cut: the summary of the step has all of it)\n"
    if page:
        parts.append(f"<details><summary>Every limit</summary>\n\n{page}\n</details>")
    return "\n\n".join([*parts, note]) + "\n"


def cells(row: dict[str, Any]) -> list[Any]:
    return [row["rule"], row["value"], row["limit"], row["headroom"], row["heaviest"]]


def markdown(rows: list[list[Any]]) -> str:
    columns = [Column(name, name, "exact" if name in ("value", "limit", "headroom") else "text") for name in COLUMNS]
    stream = io.StringIO()
    write(Report("check", [Table("", columns, rows)], exact=True), "markdown", stream)
    return stream.getvalue()


def comment(number: int, text: str, is_new_wanted: bool) -> None:
    """Update our comment, or write the first one. Without permission, as in forks, print a warning."""
    try:
        own = ours(number, text.partition("\n")[0])
        if own:
            call("PATCH", f"issues/comments/{own}", {"body": text})
        elif is_new_wanted:
            call("POST", f"issues/{number}/comments", {"body": text})
    except (OSError, ValueError) as error:
        hint = "a fork's token may only read" if getattr(error, "code", 0) in (401, 403, 404) else "see above"
        say("warning", f"no comment in the pull request ({error}; {hint}); the summary of this step has the report")


def ours(number: int, marker: str) -> int | None:
    """The number of the comment that begins with our marker and is ours: others may quote the marker."""
    page = 1
    while True:
        found = call("GET", f"issues/{number}/comments?per_page=100&page={page}")
        for one in found:
            if one["body"].startswith(marker) and one["user"]["login"] == os.environ["AUTHOR"]:
                return int(one["id"])
        if len(found) < 100:
            return None
        page += 1


def call(method: str, path: str, data: Any = None) -> Any:
    """Call GitHub's API and return its answer. Raises OSError."""
    root = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}"
    headers = {"Authorization": f"Bearer {os.environ['TOKEN']}", "Accept": "application/vnd.github+json"}
    payload = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(f"{root}/{path}", payload, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def say(level: str, message: str) -> None:
    text = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    print(f"::{level} title=convcalc::{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
