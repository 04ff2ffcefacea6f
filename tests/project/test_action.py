"""The GitHub action: its own steps run by bash, against a server on this machine that answers as GitHub's API does."""

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
import yaml
from helpers.paths import ROOT

ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
SPEC = (
    "name: head\ninput: 3x32x32\nlayers:\n  - conv: {name: wide, filters: FILTERS, kernel: 3}\nbudget: {params: 300}\n"
)
MARKER = "<!-- convcalc:budgets -->"
BOT = "github-actions[bot]"


class GitHub:
    """Comments of one pull request: lists, takes and changes them; `refuses` answers everything with that status."""

    def __init__(self):
        self.comments, self.refuses, self.seen = [], 0, []
        github = self

        class Handler(BaseHTTPRequestHandler):
            def do(self):
                path = self.path
                size = int(self.headers.get("Content-Length") or 0)
                data = json.loads(self.rfile.read(size) or "null")
                github.seen.append((self.command, path, self.headers["Authorization"]))
                status, answer = (
                    (github.refuses, {}) if github.refuses else (200, github.answer(self.command, path, data))
                )
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            do_GET = do_POST = do_PATCH = do  # noqa: N815  # the names that the server asks for

            def log_message(self, *words):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, method, path, data):
        if method == "GET":
            page = int(re.search(r"[?&]page=(\d+)", path)[1])
            assert path.startswith("/repos/me/nets/issues/7/comments")
            return self.comments[100 * (page - 1) : 100 * page]
        if method == "POST":
            assert path == "/repos/me/nets/issues/7/comments"
            self.add(data["body"])
            return self.comments[-1]
        (comment,) = (one for one in self.comments if path == f"/repos/me/nets/issues/comments/{one['id']}")
        comment["body"] = data["body"]
        return comment

    def add(self, body, author=BOT):
        self.comments.append({"id": len(self.comments) + 1, "body": body, "user": {"login": author}})


@pytest.fixture
def github():
    found = GitHub()
    yield found
    found.server.shutdown()
    found.server.server_close()


class Checkout:
    """A pull request's checkout beside the repository it came from, and the runner's files."""

    def __init__(self, folder, api):
        self.folder, self.runner = folder / "checkout", folder / "runner"
        (self.runner / "convcalc/bin").mkdir(parents=True)
        for name, words in (("python", ""), ("convcalc", "-m convcalc")):
            program = self.runner / "convcalc/bin" / name
            program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" {words} "$@"\n')
            program.chmod(0o755)
        self.git(folder, "init", "-q", "-b", "main", "origin")
        self.write(folder / "origin", 10)
        self.git(folder / "origin", "add", ".")
        self.git(folder / "origin", "commit", "-qm", "first")
        self.git(folder, "clone", "-q", "--depth=1", f"file://{folder}/origin", "checkout")
        event = self.runner / "event.json"
        event.write_text(json.dumps({"pull_request": {"number": 7}}))
        self.environment = {
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_OUTPUT": str(self.runner / "output"),
            "GITHUB_STEP_SUMMARY": str(self.runner / "summary"),
            "GITHUB_API_URL": api,
            "GITHUB_REPOSITORY": "me/nets",
            "GITHUB_BASE_REF": "main",
            "GITHUB_SHA": "0123456789abcdef",
            "GITHUB_ACTION_PATH": str(ROOT),
            "RUNNER_TEMP": str(self.runner),
            "no_proxy": "127.0.0.1",
        }

    def git(self, folder, *words):
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)

    def write(self, folder, filters, more=""):
        (folder / "net.yaml").write_text(SPEC.replace("FILTERS", str(filters)) + more)

    def run(self, **inputs):
        """The step that checks, its inputs filled in as the runner fills them in; its exit code and its log."""
        step = ACTION["runs"]["steps"][-1]
        given = {name: str(about.get("default", "")) for name, about in ACTION["inputs"].items()}
        given |= {"specs": "net.yaml", "token": "secret"} | inputs
        filled = {
            name: re.sub(r"\$\{\{ inputs\.([a-z-]+) \}\}", lambda found: given[found[1]], text)
            for name, text in step["env"].items()
        }
        found = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.folder,
            env={**os.environ, **self.environment, **filled},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        return found.returncode, found.stdout + found.stderr

    def output(self):
        return dict(line.split("=", 1) for line in (self.runner / "output").read_text().splitlines())


@pytest.fixture
def checkout(tmp_path, github):
    return Checkout(tmp_path, f"http://127.0.0.1:{github.server.server_port}")


def test_is_what_github_takes_for_an_action():
    schemas = pytest.importorskip("check_jsonschema.builtin_schemas")
    schema = json.loads((files(schemas) / "vendor/github-actions.json").read_text("utf-8"))
    jsonschema.validators.validator_for(schema)(schema).validate(ACTION)


def test_no_input_is_ever_part_of_a_script():
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"]
        assert step["shell"] == "bash"


def test_a_broken_budget_fails_the_step_and_gets_one_comment_that_is_kept_up_to_date(checkout, github):
    checkout.write(checkout.folder, 11)
    code, log = checkout.run()
    assert code == 1
    assert "::error title=convcalc (params/at_most),file=net.yaml,line=5" in log
    assert checkout.output()["status"] == "broken"
    assert json.loads(Path(checkout.output()["report"]).read_text())["tables"][0]["rows"][0]["value"] == 308
    assert "params/at_most" in (checkout.runner / "summary").read_text()
    (comment,) = github.comments
    assert comment["body"].startswith(f"{MARKER}\n\n### Architecture budgets: 1 of 1 broken\n\n| network |")
    assert "308" in comment["body"]
    assert "secret" not in log + comment["body"]
    assert {token for *_, token in github.seen} == {"Bearer secret"}

    checkout.write(checkout.folder, 10)
    assert checkout.run()[0] == 0
    (comment,) = github.comments
    assert "all 1 hold" in comment["body"]
    assert checkout.output()["status"] == "kept"


@pytest.mark.parametrize(
    ("when", "filters", "many"), [("changes", 10, 0), ("changes", 9, 1), ("always", 10, 1), ("never", 11, 0)]
)
def test_when_there_is_a_comment(when, filters, many, checkout, github):
    checkout.write(checkout.folder, filters)
    checkout.run(comment=when)
    assert len(github.comments) == many


def test_growth_is_against_the_base_branch_of_a_shallow_clone(checkout):
    budget = "  # \n"
    checkout.write(checkout.folder, 8, budget)
    text = (checkout.folder / "net.yaml").read_text().replace("{params: 300}", "{params: {ratchet: true}}")
    (checkout.folder / "net.yaml").write_text(text)
    code, log = checkout.run()
    assert code == 0, log
    assert "280" in log, "what there was at the base"
    (checkout.folder / "net.yaml").write_text(text.replace("filters: 8", "filters: 11"))
    assert checkout.run()[0] == 1


def test_only_our_own_comment_is_touched(checkout, github):
    github.add(f"{MARKER}\n\nquoted", author="somebody")
    for number in range(120):
        github.add(f"talk {number}")
    github.add(f"see {MARKER}")
    github.add("<!-- convcalc:other -->\n\nof another use")
    github.add(f"{MARKER}\n\nold")
    before = [one["body"] for one in github.comments]
    checkout.write(checkout.folder, 11)
    assert checkout.run()[0] == 1
    after = [one["body"] for one in github.comments]
    assert after[:-1] == before[:-1]
    assert "1 of 1 broken" in after[-1]


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_without_the_right_to_comment_there_is_a_warning_and_the_same_exit_code(status, checkout, github):
    github.refuses = status
    for filters, code in ((11, 1), (9, 0)):
        checkout.write(checkout.folder, filters)
        found, log = checkout.run()
        assert found == code
        assert "::warning title=convcalc::no comment in the pull request" in log
        assert ("a fork's token may only read" in log) == (status < 500)
    assert "params/at_most" in (checkout.runner / "summary").read_text()


def test_no_server_at_all_is_a_warning(checkout, github):
    checkout.environment["GITHUB_API_URL"] = "http://127.0.0.1:1"
    checkout.write(checkout.folder, 11)
    code, log = checkout.run()
    assert code == 1
    assert "::warning" in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    "text", ["$(touch owned)", "; touch owned", "`touch owned`", "'; touch owned; '", "--exit-zero", "x\n--exit-zero\n"]
)
def test_inputs_are_words_and_nothing_else(text, checkout, github):
    checkout.write(checkout.folder, 11)
    for name in ("specs", "base", "config", "key"):
        code, _ = checkout.run(**{name: text})
        assert code in (1, 2)
    assert not list(checkout.folder.glob("owned"))
    assert not list(checkout.runner.glob("owned"))


def test_a_spec_that_is_wrong_is_unusable(checkout, github):
    (checkout.folder / "net.yaml").write_text("input: 3x8x8\nlayers: [relo]\n")
    code, log = checkout.run()
    assert code == 2
    assert "::error title=convcalc (spec),file=net.yaml,line=2" in log
    assert checkout.output()["status"] == "unusable"
    assert "a spec cannot be checked" in github.comments[0]["body"]


def test_a_long_report_is_cut_to_what_github_takes(checkout, github):
    limits = "".join(f"    wide*{'?' * (number % 40)}{'*' * number}: {{params: 1M}}\n" for number in range(400))
    checkout.write(checkout.folder, 11)
    spec = (checkout.folder / "net.yaml").read_text().replace("{params: 300}", "\n  params: 300\n  layers:\n")
    (checkout.folder / "net.yaml").write_text(spec + limits.replace("?", ""))
    assert checkout.run()[0] == 1
    body = github.comments[0]["body"]
    assert 30_000 < len(body) <= 60_100
    assert "the summary of the step has all of it" in body
    assert body.count("<details>") == body.count("</details>") == 1


def test_outside_of_a_pull_request_nobody_is_asked(checkout, github):
    Path(checkout.environment["GITHUB_EVENT_PATH"]).write_text("{}")
    checkout.environment["GITHUB_BASE_REF"] = ""
    assert checkout.run()[0] == 0
    assert not github.seen


def test_the_page_shows_a_comment_as_it_is(checkout, github):
    """What docs/budgets.md renders, but for the revisions; to write it anew, copy what differs."""
    checkout.write(checkout.folder, 11)
    checkout.run()
    body = re.sub(r"<sub>.*?</sub>", "<sub>The same here: `convcalc check`.</sub>", github.comments[0]["body"])
    page = (ROOT / "docs" / "budgets.md").read_text("utf-8")
    assert body.partition("\n\n")[2] in page
