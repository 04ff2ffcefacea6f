"""Run `convcalc check` for action.yml, with annotations and the summary of the step, then write one comment.

All inputs are environment variables. The exit code is that of `convcalc check`, even if the comment fails. While
another program runs, the token is in no environment, not in this process's own either; and nothing that is printed is a
command to the runner, except for annotations.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from convcalc.budgets.allowances import parse_allowance
from convcalc.budgets.comment import comment as comment_text
from convcalc.errors import SpecError, UserError
from convcalc.language.git import environment, find
from convcalc.workflow_log import harmless

STATUS = {0: "kept", 1: "broken"}
SECONDS, PAGES, BYTES = 60.0, 30, 2**25  # for all that is asked of GitHub, of comments, of each answer
ALLOW = "/convcalc allow "  # begins a line of a comment by which somebody who may write allows a rise
MAY_WRITE = ("admin", "write")  # what GitHub calls the permission; it says write of those who maintain, too
MOST_ALLOWED, MOST_ASKED = 50, 20  # lines of a pull request, and users that GitHub is asked about
FILES = ("*.yaml", "*.yml", "*.toml", "*.onnx")  # networks and settings
ANNOTATIONS = ("::error title=convcalc", "::warning title=convcalc", "::notice title=convcalc", "::debug::convcalc")
INPUTS = ("SPECS", "BASE", "CONFIG", "COMMENT", "KEY", "AUTHOR")
GITHUB = tuple(
    f"GITHUB_{name}"
    for name in ("ACTIONS", "API_URL", "BASE_REF", "EVENT_PATH", "OUTPUT", "REPOSITORY", "SHA", "STEP_SUMMARY")
)
NETWORK = ("http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "HOME")
OF_CHECK = ("LANG", "LC_ALL", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY")


def main() -> int:
    token = sealed_token()
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    folder = Path(os.environ["RUNNER_TEMP"])
    report, page, annotations = (folder / f"convcalc.{suffix}" for suffix in ("json", "md", "txt"))
    for path in (report, page, annotations):
        path.unlink(missing_ok=True)
    base = os.environ["BASE"] or fetched(os.environ.get("GITHUB_BASE_REF", ""))
    allowed, problem = allowances(token)
    with no_commands():
        code = check(base, folder, [f"github={annotations}", f"json={report}", f"markdown={page}"], allowed)
    if problem and code == 1:
        say("warning", f"what comments allow cannot be read ({problem})")
    try:
        annotate(annotations)
        with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as stream:
            stream.write(f"status={STATUS.get(code, 'unusable')}\nreport={report}\n")
        comment(token, base, report, page, is_broken=code != 0)
    except Exception as error:  # the exit code is that of check
        say("warning", f"no comment in the pull request ({named(error, token)})")
    return code


def sealed_token() -> str:
    """The token, which is in the environment of this process when it starts and must not be while others run.

    Taking it out of `os.environ` leaves it in /proc/PID/environ. So this program starts itself anew in the same
    process, with the variables it needs and the token on standard input.
    """
    if "TOKEN" in os.environ:
        kept = [*INPUTS, *GITHUB, *NETWORK, *OF_CHECK, "RUNNER_TEMP", *own_options()]
        readable, writable = os.pipe()
        os.write(writable, os.environ["TOKEN"].encode()[:4_000])
        os.close(writable)
        os.dup2(readable, 0)
        os.execve(sys.executable, [sys.executable, "-I", __file__], environment(*kept))
    token = sys.stdin.buffer.read().decode().strip()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    return token


def own_options() -> list[str]:
    """The variables that give convcalc's own options."""
    return [name for name in os.environ if name.startswith("CONVCALC_")]


def check(base: str, folder: Path, reports: list[str], allowed: list[str]) -> int:
    """Run `convcalc check` on the specs; its exit code."""
    options = [f"--report={one}" for one in reports]
    options += [f"--allow={text}" for text in allowed]
    options += [f"--base={base}"] if base else []
    options += [f"--config={os.environ['CONFIG']}"] if os.environ["CONFIG"] else []
    program = str(folder / "convcalc" / "bin" / "convcalc")  # not `python -m`, which would read modules of the checkout
    variables = environment(*OF_CHECK, *own_options(), outside=str(Path.cwd()))
    # one stream, so that nothing of it is read before commands are stopped, or after they are resumed
    ran = subprocess.run(
        [program, "check", *options, "--", *specs()],
        env=variables,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return ran.returncode


@contextmanager
def no_commands() -> Iterator[None]:
    """The runner takes nothing that is printed for a command; the word that ends this cannot be guessed."""
    token = secrets.token_hex(16)
    print(f"::stop-commands::{token}", flush=True)
    try:
        yield
    finally:
        print(f"\n::{token}::", flush=True)


def annotate(path: Path) -> None:
    """Print the annotations that check wrote, which are commands, and nothing else."""
    lines = path.read_text("utf-8").split("\n") if path.exists() else []
    for line in lines:
        if line.startswith(ANNOTATIONS):
            print(line[:2] + harmless(line[2:], before="."))
    sys.stdout.flush()


def fetched(branch: str) -> str:
    """Fetch the base branch of a pull request and return its revision, or "" if there is none."""
    if not branch:
        return ""
    reason = "this is no git repository"
    try:
        repository = find(".")
        if repository is not None:
            reason = "give the checkout fetch-depth: 0 where it is not over https, or keeps no credentials"
            # with the credentials that the checkout has, never with the token; what is here already is second best
            commit = repository.fetch(branch) or repository.commit(f"refs/remotes/origin/{branch}")
            if commit:
                return commit
    except UserError as error:
        reason = error.message
    say("warning", f"the base branch {branch} could not be fetched: limits on growth cannot be checked; {reason}")
    return ""


def has_changes(base: str) -> bool:
    """Whether the pull request changes a file that may be a network or settings; so it does where there is no base."""
    repository = find(".")
    return not base or repository is None or repository.differs(base, "HEAD", FILES)


def comment(token: str, base: str, report: Path, page: Path, is_broken: bool) -> None:
    """Bring our comment up to date, or write the first. Without the right to, as in forks, there is a warning."""
    number = pull_request()
    when = os.environ["COMMENT"]
    if not number or when == "never":
        return
    found = json.loads(report.read_text("utf-8")) if report.exists() else {"tables": [], "error": {}}
    text = body(found, page.read_text("utf-8") if page.exists() else "", base)
    is_new_wanted = when == "always" or is_broken or has_changes(base)
    error = within(SECONDS, lambda end: publish(Client(token, end), number, text, is_new_wanted))
    if error is not None:
        code = getattr(error, "code", 0)
        hint = "; a fork's token may only read" if code in (401, 403, 404) else ""
        message = f"no comment in the pull request ({named(error, token)}{hint})"
        say("warning", f"{message}; the summary of this step has the report")


def pull_request() -> int:
    """The number of the pull request, 0 for none. Raises OSError and ValueError."""
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text("utf-8"))
    return int((event.get("pull_request") or {}).get("number") or 0)


def allowances(token: str) -> tuple[list[str], str]:
    """What comments of the pull request allow, for --allow; and why that cannot be read, "" where it can."""
    found: list[str] = []
    try:
        number = pull_request()
        if not number:
            return [], ""
        error = within(SECONDS, lambda end: found.extend(allowed_in(Client(token, end), number)))
    except Exception as problem:
        error = problem
    return ([], named(error, token)) if error is not None else (found, "")


def allowed_in(client: Client, number: int) -> list[str]:
    """The lines `/convcalc allow SPEC LIMIT VALUE: REASON` of people who may write to the repository, with their names.

    Anybody may comment, and a bot may repeat what anybody says. So GitHub is asked what each author may do; what it
    does not say is no. Lines of a quotation or of a block of code allow nothing.
    """
    lines: list[str] = []
    may_write: dict[str, bool] = {}
    for one in comments(client, number):
        texts = lines_that_allow(one)
        login = str(one["user"].get("login")) if texts else ""
        if texts and login not in may_write and len(may_write) < MOST_ASKED:
            may_write[login] = is_writer(client, login)
        if may_write.get(login):
            lines += [with_author(text, login) for text in texts]
    return lines[:MOST_ALLOWED]


def lines_that_allow(one: Any) -> list[str]:
    """The valid lines of a comment that allow something, without their beginning; none of a bot, or of nobody."""
    if not isinstance(one, dict) or not isinstance(one.get("user"), dict) or one["user"].get("type") != "User":
        return []
    if one.get("performed_via_github_app"):
        return []
    texts, fence = [], ""
    for line in re.sub(r"<!--.*?(-->|\Z)", "", str(one.get("body") or ""), flags=re.DOTALL).splitlines():
        mark = re.match(r" {0,3}(```+|~~~+)", line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
        elif not fence and line.startswith(ALLOW) and is_valid(line.removeprefix(ALLOW)):
            texts.append(line.removeprefix(ALLOW).strip())
    return texts


def is_valid(text: str) -> bool:
    """Whether `check` takes a text for --allow: one that it does not take would end the check."""
    try:
        parse_allowance(text)
    except SpecError:
        return False
    return text.isprintable()


def with_author(text: str, login: str) -> str:
    """An allowance whose reason begins with who gives it."""
    reason = parse_allowance(text).reason
    return f"{text[: len(text) - len(reason)]}{login}: {reason}"


def is_writer(client: Client, login: str) -> bool:
    """Whether GitHub says that a user may write to the repository."""
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})", login):
        return False
    try:
        answer = client.call("GET", f"collaborators/{login}/permission")
    except urllib.error.HTTPError as error:
        if error.code == 404:  # no collaborator
            return False
        raise
    return isinstance(answer, dict) and answer.get("permission") in MAY_WRITE


def within(seconds: float, work: Any) -> Exception | None:
    """Do work that takes the time it must end by; its exception, if any. It is left behind when the time is over.

    A time limit of a socket is for one read: a server that sends a byte now and then is within it for ever.
    """
    errors: list[Exception] = [TimeoutError(f"GitHub did not answer within {seconds:g} seconds")]

    def run() -> None:
        try:
            work(time.monotonic() + seconds)
            errors.clear()
        except Exception as error:
            errors[:] = [error]

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return next(iter(errors), None)


class Client(NamedTuple):
    """GitHub's API for one repository, until `end`."""

    token: str
    end: float

    def call(self, method: str, path: str, data: Any = None) -> Any:
        """The answer to a request, read as JSON. Raises OSError, ValueError and http.client.HTTPException."""
        if not self.token.isascii() or not self.token.isprintable() or " " in self.token:
            raise ValueError("the token is not one")  # what a header would say of it would show it
        root = f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}"
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/vnd.github+json"}
        payload = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(f"{root}/{path}", payload, headers, method=method)
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError("no time is left")
        try:
            with urllib.request.build_opener(NoRedirect).open(request, timeout=left) as answer:
                text = answer.read(BYTES + 1)
        except urllib.error.HTTPError as error:
            error.close()
            raise
        if len(text) > BYTES:
            raise ValueError(f"an answer of more than {BYTES} bytes")
        return json.loads(text)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Redirects are errors: urllib would send the token along, to whatever address."""

    def redirect_request(self, *words: Any) -> None:
        return None


def publish(client: Client, number: int, text: str, is_new_wanted: bool) -> None:
    """Change our comment, or write one."""
    own = ours(client, number, text.partition("\n")[0])
    if own:
        client.call("PATCH", f"issues/comments/{own}", {"body": text})
    elif is_new_wanted:
        client.call("POST", f"issues/{number}/comments", {"body": text})


def ours(client: Client, number: int, marker: str) -> int | None:
    """The comment that begins with our marker and is by us; someone else may well have quoted it."""
    return next((int(one["id"]) for one in comments(client, number) if is_ours(one, marker)), None)


def comments(client: Client, number: int) -> Iterator[Any]:
    """Yield the comments of the pull request, whatever GitHub calls one. Raises ValueError."""
    for page in range(1, PAGES + 1):
        found = client.call("GET", f"issues/{number}/comments?per_page=100&page={page}")
        if not isinstance(found, list):
            raise ValueError("the answer is no list of comments")
        yield from found
        if len(found) < 100:
            return
    raise ValueError(f"more than {PAGES * 100} comments")


def is_ours(one: Any, marker: str) -> bool:
    """Whether a comment is one of ours. The user of a deleted account is null, as a body may be."""
    if not isinstance(one, dict) or not isinstance(one.get("user"), dict):
        return False
    return str(one.get("body") or "").startswith(marker) and one["user"].get("login") == os.environ["AUTHOR"]


def body(report: dict[str, Any], page: str, base: str) -> str:
    """The text of the comment."""
    about = os.environ["GITHUB_SHA"][:10] + (f" against {base[:10]}" if base else "")
    return comment_text(report, page, f"<!-- convcalc:{os.environ['KEY']} -->", about, shlex.join(command(base)))


def command(base: str) -> list[str]:
    """What to type to see the same: with the name of the base branch, where it is that of the pull request."""
    branch = os.environ.get("GITHUB_BASE_REF", "")
    given = os.environ.get("BASE", "") or (f"origin/{branch}" if branch and base else base)
    config = os.environ.get("CONFIG", "")
    words = ["convcalc", "check", *([f"--base={given}"] if given else []), *([f"--config={config}"] if config else [])]
    return [*words, *specs()]


def specs() -> list[str]:
    return [line.strip() for line in os.environ.get("SPECS", "").splitlines() if line.strip()]


def named(error: Exception, token: str) -> str:
    """An exception in one line, without the token."""
    text = f"{error}" or type(error).__name__
    return (text.replace(token, "***") if token else text)[:300]


def say(level: str, message: str) -> None:
    text = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    print(f"::{level} title=convcalc::{harmless(text, before='.')}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
