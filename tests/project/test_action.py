"""The GitHub action: its own steps run by bash, against a server on this machine that answers as GitHub's API does."""

import json
import os
import re
import subprocess
import sys
import threading
import time
import venv
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from importlib.util import module_from_spec, spec_from_file_location
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


ANNOTATION = re.compile(r"::(error|warning|notice) title=convcalc[^:]*::|::debug::convcalc: ")


def obeyed(log):
    """The lines that the runner takes for commands (Runner.Worker/ActionCommandManager.cs)."""
    found, ends_with = [], None
    for line in re.split(r"\r\n|\r|\n", log):
        command = re.match(r"\s*::([^\s:]*).*?::(.*)", line) or re.search(r"##\[([^\s\]]*).*?\](.*)", line)
        if command and ends_with is None and command[1].lower() == "stop-commands":
            ends_with = command[2]
            assert re.fullmatch(r"[0-9a-f]{32}", ends_with), line
        elif command and ends_with is None:
            found.append(line)
        elif command and command[1] == ends_with:
            ends_with = None
    assert ends_with is None, "commands are resumed"
    return found


class GitHub:
    """Comments of one pull request: lists, takes and changes them; `refuses` answers everything with that status."""

    def __init__(self):
        self.comments, self.refuses, self.seen, self.misbehaves = [], 0, [], None
        self.permissions, self.is_over = {}, threading.Event()
        github = self

        class Handler(BaseHTTPRequestHandler):
            def do(self):
                path = self.path
                size = int(self.headers.get("Content-Length") or 0)
                data = json.loads(self.rfile.read(size) or "null")
                github.seen.append((self.command, path, self.headers["Authorization"]))
                if github.misbehaves:
                    return github.misbehaves(self)
                status, answer = (
                    (github.refuses, {}) if github.refuses else (200, github.answer(self.command, path, data))
                )
                self.send_response(status)
                self.end_headers()
                return self.wfile.write(json.dumps(answer).encode())

            do_GET = do_POST = do_PATCH = do  # noqa: N815  # the names that the server asks for

            def log_message(self, *words):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, method, path, data):
        if method == "GET" and path.startswith("/repos/me/nets/collaborators/"):
            login = path.removesuffix("/permission").rpartition("/")[2]
            return {"permission": self.permissions.get(login, "read")}
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

    def add(self, body, author=BOT, **more):
        user = {"login": author, "type": "Bot" if author.endswith("[bot]") else "User"}
        self.comments.append({"id": len(self.comments) + 1, "body": body, "user": user, **more})


@pytest.fixture
def github():
    found = GitHub()
    yield found
    found.is_over.set()
    found.server.shutdown()
    found.server.server_close()


class Checkout:
    """A pull request's checkout beside the repository it came from, and the runner's files."""

    def __init__(self, folder, api):
        self.folder, self.runner, self.working = folder / "checkout", folder / "runner", "."
        self.runner.mkdir()
        self.install()
        self.git(folder, "init", "-q", "-b", "main", "origin")
        self.write(folder / "origin", 10)
        self.git(folder / "origin", "add", ".")
        self.git(folder / "origin", "commit", "-qm", "first")
        self.git(folder, "clone", "-q", "--depth=1", f"file://{folder}/origin", "checkout")
        event = self.runner / "event.json"
        event.write_text(json.dumps({"pull_request": {"number": 7}}))
        self.environment = {
            "GITHUB_ACTIONS": "true",
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

    def install(self):
        """What the first step makes: an environment with convcalc, here the one of this checkout."""
        venv.create(self.runner / "convcalc", with_pip=False, symlinks=True)
        (packages,) = (self.runner / "convcalc").glob("lib/python*/site-packages")
        paths = [str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))]
        (packages / "convcalc.pth").write_text("\n".join(paths))
        self.install_program("from convcalc.cli import main\nmain()\n")

    def install_program(self, text):
        program = self.runner / "convcalc/bin/convcalc"
        program.write_text(f"#!{program.with_name('python')}\n{text}")
        program.chmod(0o755)

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
        self.git(self.folder, "add", "-A")
        self.git(self.folder, "commit", "--allow-empty", "-qm", "a change")
        found = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.folder / self.working,
            env={**os.environ, **self.environment, **filled},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        for stream in (found.stdout, found.stderr):
            assert not [line for line in obeyed(stream) if not ANNOTATION.match(line)]
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
    assert "::error title=convcalc (params/at_most),file=net.yaml,line=4" in log, "the line that the change touched"
    assert checkout.output()["status"] == "broken"
    assert json.loads(Path(checkout.output()["report"]).read_text())["tables"][0]["rows"][0]["value"] == 308
    assert "params/at_most" in (checkout.runner / "summary").read_text()
    (comment,) = github.comments
    assert comment["body"].startswith(
        f"{MARKER}\n\n### Architecture budgets: 1 limit in 1 network: 1 failed\n\n| network |"
    )
    assert "308" in comment["body"]
    assert "secret" not in log + comment["body"]
    assert {token for *_, token in github.seen} == {"Bearer secret"}

    checkout.write(checkout.folder, 10)
    assert checkout.run()[0] == 0
    (comment,) = github.comments
    assert "1 limit in 1 network: all passed" in comment["body"]
    assert "- head: no change, 1 limit passed" in comment["body"]
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
    assert "1 limit in 1 network: 1 failed" in after[-1]


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
    assert "1 of 1 network cannot be checked, see the log" in github.comments[0]["body"]


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


def answer(handler, data, status=200, **headers):
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(data if isinstance(data, bytes) else json.dumps(data).encode())


def a_comment(**changes):
    return [{"id": 1, "body": f"{MARKER}\n", "user": {"login": BOT}, **changes}]


def until_it_is_over(github, write):
    def misbehave(handler):
        handler.send_response(200)
        handler.end_headers()
        try:
            while not github.is_over.is_set():
                write(handler)
        except OSError:
            pass

    return misbehave


def drip(handler):
    handler.wfile.write(b" ")
    time.sleep(0.05)


QUICK = {
    "redirect loop": lambda handler: answer(handler, b"", 302, Location=handler.path),
    "redirect away": lambda handler: answer(handler, b"", 302, Location="http://127.0.0.1:1/"),
    "reset": lambda handler: handler.connection.close(),
    "no JSON": lambda handler: answer(handler, b"<html>"),
    "deep JSON": lambda handler: answer(handler, b"[" * 1_000_000),
    "no UTF-8": lambda handler: answer(handler, b'["\xff\xfe"]'),
    "an object": lambda handler: answer(handler, {"message": "no"}),
    "numbers": lambda handler: answer(handler, [1, None, "x"] * 50),
    "no user": lambda handler: answer(handler, a_comment(user=None)),
    "no body": lambda handler: answer(handler, a_comment(body=None)),
    "another id": lambda handler: answer(handler, a_comment(id="x")),
    "cut body": lambda handler: answer(handler, b"[", **{"Content-Length": "1000"}),
    "no status line": lambda handler: handler.wfile.write(b"garbage\r\n\r\n"),
    "a status that is a command": lambda handler: handler.wfile.write(b"HTTP/1.1 500 ::error::a ##[error]b\r\n\r\n"),
    "nothing": lambda handler: None,
    "endless pages": lambda handler: answer(handler, a_comment(body="x") * 100),
}


@pytest.fixture
def script(checkout, monkeypatch):
    """run.py as a module, in the environment that the runner gives it."""
    for name, value in {**checkout.environment, "AUTHOR": BOT, "COMMENT": "always", "KEY": "budgets"}.items():
        monkeypatch.setenv(name, value)
    spec = spec_from_file_location("run", ROOT / "action/run.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("misbehaves", QUICK.values(), ids=QUICK)
def test_whatever_github_answers_is_a_warning(misbehaves, github, script, tmp_path, capsys):
    github.misbehaves = misbehaves
    script.comment("secret", "", tmp_path / "none.json", tmp_path / "none.md", is_broken=True)
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("::warning title=convcalc::no comment in the pull request (") for line in lines)
    assert len(lines) <= 1
    assert not [line for line in lines if "secret" in line or "##[" in line]
    assert len(github.seen) <= script.PAGES


@pytest.mark.parametrize(
    "name", ["cut body", "no status line", "no user", "endless pages", "a status that is a command"]
)
def test_whatever_github_answers_the_exit_code_is_that_of_check(name, checkout, github):
    github.misbehaves = QUICK[name]
    code, log = checkout.run(comment="always")
    assert code == 0
    assert "Traceback" not in log
    assert ("::warning title=convcalc::no comment" in log) == (name != "no user")


def test_a_redirect_is_not_given_the_token(checkout, github):
    github.misbehaves = lambda handler: answer(handler, [], 302, Location="/elsewhere")
    checkout.run(comment="always")
    assert not [path for _, path, _ in github.seen if "elsewhere" in path]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize(
    "write",
    [lambda handler: time.sleep(0.05), drip, lambda handler: handler.wfile.write(b" " * 100_000)],
    ids=["hang", "one byte at a time", "as much as one likes"],
)
def test_time_and_bytes_have_a_limit(write, github, script, monkeypatch, capsys, tmp_path):
    github.misbehaves = until_it_is_over(github, write)
    monkeypatch.setattr(script, "SECONDS", 0.5)
    monkeypatch.setattr(script, "BYTES", 5_000_000)
    start = time.monotonic()
    script.comment("secret", "", tmp_path / "none.json", tmp_path / "none.md", is_broken=True)
    assert time.monotonic() - start < 10
    assert re.match(r"::warning title=convcalc::no comment in the pull request \(", capsys.readouterr().out)


def test_the_limits_are_those_that_are_meant(script):
    assert script.SECONDS <= 120
    assert script.PAGES <= 100
    assert script.BYTES <= 2**26


@pytest.mark.parametrize("token", ["a\nb", "a b", "\u00fc", "x" * 100_000, ""])
def test_a_token_that_is_none_is_not_shown(token, checkout, github):
    checkout.write(checkout.folder, 11)
    code, log = checkout.run(token=token)
    assert code == 1
    assert "Traceback" not in log
    assert not token or token not in log


@pytest.mark.parametrize("name", ["GITHUB_EVENT_PATH", "GITHUB_OUTPUT", "GITHUB_API_URL"])
def test_what_the_runner_gives_may_be_wrong(name, checkout):
    checkout.environment[name] = "/nosuch/file"
    checkout.write(checkout.folder, 11)
    code, log = checkout.run()
    assert code == 1
    assert "Traceback" not in log
    assert "::warning title=convcalc::no comment" in log


SPY = r"""
import json, os, pathlib, sys
seen = {"own": dict(os.environ), "others": []}
process = os.getpid()
while process > 1:
    folder = pathlib.Path(f"/proc/{process}")
    process = int(folder.joinpath("stat").read_text().rpartition(")")[2].split()[1])
    seen["others"].append([folder.joinpath(name).read_bytes().decode("latin-1") for name in ("environ", "cmdline")])
seen["input"] = sys.stdin.read()
pathlib.Path(OUTPUT).write_text(json.dumps(seen))
"""


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc")
def test_no_process_has_the_token_in_its_environment_while_another_program_runs(checkout, github, tmp_path):
    checkout.install_program(f"OUTPUT = {str(tmp_path / 'seen')!r}\n{SPY}")
    checkout.environment |= {"AWS_SECRET_ACCESS_KEY": "hidden-key", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "hidden-token"}
    assert checkout.run(token="very-secret", comment="always")[0] == 0
    seen = json.loads((tmp_path / "seen").read_text())
    of_runner = str(tmp_path)  # the processes of the step, and not those that run this test
    step = [one for one in seen["others"] if of_runner in one[1] or "run.py" in one[1]]
    assert len(step) == 2, "convcalc, and run.py, which took the place of the shell"
    assert "very-secret" not in json.dumps(seen)
    assert "hidden" not in json.dumps([seen["own"], step])
    assert seen["input"] == ""
    assert {token for *_, token in github.seen} == {"Bearer very-secret"}


@pytest.mark.parametrize("name", ["json", "subprocess", "convcalc", "sitecustomize", "venv", "pip"])
def test_no_module_comes_from_the_checkout(name, checkout, tmp_path):
    """Neither for the step that checks nor for the one that installs, which is run up to where it needs a network."""
    (checkout.folder / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    checkout.environment["PYTHONPATH"] = "."
    checkout.write(checkout.folder, 11)
    assert checkout.run()[0] == 1
    install = ACTION["runs"]["steps"][0]["run"].replace("-m venv", "-m venv --without-pip").splitlines()
    assert [line for line in install if "-I -m venv" in line]
    environment = {**os.environ, **checkout.environment}
    script = "\n".join(line for line in install if 'pip" install' not in line)
    subprocess.run(["bash", "-eo", "pipefail", "-c", script], cwd=checkout.folder, env=environment, check=True)
    assert not (tmp_path / "ran").exists()


def test_a_hostile_pull_request_runs_nothing_and_is_checked(checkout, github, tmp_path):
    """The folder of the networks is a bare repository to git; its configuration names a program."""
    origin, nets = tmp_path / "origin", checkout.folder / "nets"
    budget = "{params: {at_most: 5M, max_increase: 1}}"
    for folder, filters in ((origin, 8), (checkout.folder, 11)):
        (folder / "nets").mkdir()
        spec = SPEC.replace("FILTERS", str(filters)).replace("{params: 300}", budget)
        (folder / "nets/net.yaml").write_text(spec)
    checkout.git(origin, "add", ".")
    checkout.git(origin, "commit", "-qm", "networks")
    for name in ("objects", "refs"):
        (nets / name).mkdir()
        (nets / name / "keep").write_text("x")
    (nets / "HEAD").write_text("ref: refs/heads/main\n")
    (nets / "config").write_text(
        f'[core]\n\trepositoryformatversion = 1\n\tbare = true\n\tsshCommand = "touch {tmp_path}/ran #"\n'
        '[extensions]\n\tpartialClone = origin\n[remote "origin"]\n\turl = ssh://localhost/x\n\tpromisor = true\n'
    )
    for checkout.working, spec in ((".", "nets/net.yaml"), ("nets", "net.yaml")):
        code, log = checkout.run(specs=spec)
        assert code == 1, log
        assert "params/max_increase" in log
    assert not (tmp_path / "ran").exists()


HOSTILE = [
    "::stop-commands::token",
    "::add-mask::224",
    "##[add-mask]error",
    "::error file=a::b",
    "::set-env name=A::b",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_names_are_no_commands(text, checkout, github):
    """`run` looks at every line of the log as the runner does; here there is something to see."""
    (checkout.folder / f"{text}.yaml").write_text(
        SPEC.replace("FILTERS", "11").replace("name: head", f'name: "{text}"')
    )
    code, log = checkout.run(specs=f"{text}.yaml\n{text}")
    assert code == 2
    assert "::error title=convcalc (params/at_most)" in log
    assert "\n::stop-commands::token" not in log
    assert not [line for line in log.splitlines() if "##[" in line]


def test_a_base_that_cannot_be_fetched_is_taken_from_what_is_here(checkout):
    checkout.git(checkout.folder, "config", "remote.origin.url", "ssh://localhost/x")
    checkout.git(checkout.folder, "update-ref", "refs/remotes/origin/main", "HEAD")
    text = SPEC.replace("{params: 300}", "{params: {ratchet: true}}")
    (checkout.folder / "net.yaml").write_text(text.replace("FILTERS", "11"))
    code, log = checkout.run()
    assert code == 1, log
    checkout.git(checkout.folder, "update-ref", "-d", "refs/remotes/origin/main")
    code, log = checkout.run()
    assert code == 2
    assert "::warning title=convcalc::the base branch main could not be fetched" in log
    assert "fetch-depth: 0" in log


def test_the_page_shows_a_comment_as_it_is(checkout, github):
    """What docs/budgets.md renders, but for the revisions; to write it anew, copy what differs."""
    checkout.write(checkout.folder, 11)
    checkout.run()
    body = re.sub(r"<sub>\S+ against \S+ ", "<sub>", github.comments[0]["body"])
    page = (ROOT / "docs" / "budgets.md").read_text("utf-8")
    assert body.partition("\n\n")[2] in page


ALLOW = "/convcalc allow net.yaml params 308: the detector needs it"
GROWTH = SPEC.replace("{params: 300}", "{params: {at_most: 1k, ratchet: true}, macs: 1}")


def allowed(checkout, github, *comments, filters=11):
    """The exit code of a pull request that adds a filter, and its log, after comments of (author, text)."""
    for author, text, *more in comments:
        github.add(text, author, **dict(more))
    checkout.write(checkout.folder, filters)
    return checkout.run()


def test_who_may_write_allows_a_rise_once_and_is_named(checkout, github):
    github.permissions["ann"] = "write"
    code, log = allowed(checkout, github, ("ann", f"Fine.\n{ALLOW}\n"))
    assert code == 0, log
    assert "allowed up to 308: ann: the detector needs it" in log
    body = github.comments[-1]["body"]
    assert "**head**: allowed once: params/at\\_most up to 308 (ann: the detector needs it)" in body.replace(
        "at_", "at\\_"
    )
    checkout.write(checkout.folder, 12)
    assert checkout.run()[0] == 1, "more than what was allowed"


@pytest.mark.parametrize(
    ("author", "text", "more"),
    [
        ("eve", ALLOW, {}),  # may read
        ("nobody", ALLOW, {}),
        ("ann", f"> {ALLOW}", {}),
        ("ann", f"  {ALLOW}", {}),
        ("ann", f"write\n```\n{ALLOW}\n```\n", {}),
        ("ann", f"~~~~ yaml\n~~~\n{ALLOW}\n", {}),
        ("ann", f"<!--\n{ALLOW}\n-->", {}),
        ("ann", ALLOW.replace("308", "307"), {}),
        ("ann", ALLOW.replace("net.yaml", "other.yaml"), {}),
        ("ann", ALLOW.replace("params", "macs"), {}),
        ("ann", ALLOW.replace("params", "param"), {}),
        ("ann", ALLOW.partition(":")[0], {}),  # no reason
        ("ann", "/convcalc allow --exit-zero", {}),
        ("ann", ALLOW, {"performed_via_github_app": {"id": 1}}),
        ("helper[bot]", ALLOW, {}),
        ("ann/../ann", ALLOW, {}),
        ("", ALLOW, {}),
    ],
)
def test_nothing_else_allows_anything(author, text, more, checkout, github):
    github.permissions |= {"ann": "write", "eve": "read", "nobody": "none", "helper[bot]": "write"}
    code, log = allowed(checkout, github, (author, text, *more.items()))
    assert code == 1, log
    assert "allowed up to" not in log


@pytest.mark.parametrize(
    "answered", [{"permission": "read", "role_name": "write"}, [], {}, None, "write", {"permission": 1}]
)
def test_what_github_does_not_say_is_no(answered, checkout, github, monkeypatch):
    answer_as_ever = github.answer

    def answer(method, path, data):
        return answered if "collaborators" in path else answer_as_ever(method, path, data)

    monkeypatch.setattr(github, "answer", answer)
    assert allowed(checkout, github, ("ann", ALLOW))[0] == 1


def test_what_comments_allow_is_read_before_the_check_and_a_failure_is_said_only_where_it_matters(checkout, github):
    github.refuses = 500
    code, log = allowed(checkout, github, ("ann", ALLOW))
    assert code == 1
    assert "::warning title=convcalc::what comments allow cannot be read" in log
    checkout.write(checkout.folder, 9)
    assert "what comments allow" not in checkout.run()[1]


def test_the_comment_says_what_changed_of_each_network(checkout, github, tmp_path):
    origin = tmp_path / "origin"
    for name in ("same", "moved", "gone"):
        text = SPEC.replace("FILTERS", "10").replace("name: head", f"name: {name}").replace("300", "1k")
        (origin / f"{name}.yaml").write_text(text)
    checkout.git(origin, "add", ".")
    checkout.git(origin, "commit", "-qm", "networks")
    checkout.git(checkout.folder, "pull", "-q", "origin", "main")
    moved = checkout.folder / "moved.yaml"
    moved.write_text(moved.read_text().replace("filters: 10", "filters: 15").replace("1k", "2k"))
    (checkout.folder / "gone.yaml").write_text("input: 3x8x8\nlayers: [relo]\n")
    (checkout.folder / "fresh.yaml").write_text(SPEC.replace("FILTERS", "2").replace("name: head", "name: fresh"))
    checkout.write(checkout.folder, 11)
    assert checkout.run(specs="*.yaml")[0] == 2
    body = github.comments[0]["body"].partition("<details>")[0]
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in body.splitlines() if line.startswith("|")]
    assert ["moved", "params", "280", "420", "+140", "50.0%"] in table
    assert ["head", "error", "params/at_most", "308", "300", "-8", "wide 308"] in table
    assert "- **moved**: most in wide (10 -\\> 15 filters): +140 params, +121,500 MACs\n" in body
    assert "- **moved**: the limit on params was at most 1,000, and is at most 2,000\n" in body
    assert "- **fresh** is new: 56 params, 48,600 MACs; 1 limit passed\n" in body
    assert "- **gone.yaml** cannot be checked: no layer kind or block" in body
    assert "- same: no change, 1 limit passed" in body
    assert "The same here: `convcalc check --base=origin/main '*.yaml'`." in github.comments[0]["body"]
