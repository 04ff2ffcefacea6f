"""What settings list is a file of the repository or a network of the catalogue: never code, and nothing outside."""

import os
import socket
import time

import pytest

import convcalc.budgets.spec_list
from convcalc.cli import BAD, FINE, run
from convcalc.loader import SpecName

SPEC = "input: 3x8x8\nlayers: [relu]\nbudget: {params: 5}\n"
SECRET = "input: TOP-SECRET\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository with nets/ok.yaml, and Python that leaves a mark when it is imported; a secret file beside it."""
    (tmp_path / "secret.yaml").write_text(SECRET)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/net.yaml").write_text(SECRET)
    root = tmp_path / "repo"
    for folder in (".git", "nets"):
        (root / folder).mkdir(parents=True)
    (root / "nets/ok.yaml").write_text(SPEC)
    for name in ("evil.py", "nets/evil.py"):
        (root / name).write_text(f"open({str(tmp_path / 'IMPORTED')!r}, 'a').write('imported')\n")
    monkeypatch.chdir(root)
    monkeypatch.syspath_prepend(root)
    return root


def check(project, capsys, settings="specs: ['nets/*.yaml']\n", *options):
    """The exit code and what was printed; no code ran, and nothing outside was printed."""
    (project / "convcalc.yaml").write_text(settings)
    code = run(["check", *options])
    printed = capsys.readouterr()
    text = printed.out + printed.err
    assert not (project.parent / "IMPORTED").exists()
    assert "TOP-SECRET" not in text
    assert "Traceback" not in text
    return code, text


INPUT = pytest.mark.parametrize("options", [(), ("--input", "3x8x8")], ids=["", "input"])


@INPUT
@pytest.mark.parametrize(
    "name", ["evil:Net", "evil.py:Net", "nets/evil.py:Net", "os:path", "torchvision.models:alexnet"]
)
def test_a_name_in_settings_is_never_code(name, options, project, capsys):
    code, text = check(project, capsys, f'specs: ["{name}"]\n', *options)
    assert code == BAD
    assert f"convcalc.yaml:1:9: error: '{name}' matches no file" in text


def folder(path):
    path.mkdir()
    (path / "keep").touch()


def pipe(path):
    os.mkfifo(path)


def unix_socket(path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(path))


def link(target):
    return lambda path: path.symlink_to(target)


@INPUT
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (link("nosuch"), "is a link that leads nowhere"),
        (link("loop.yaml"), "is a link that leads nowhere"),
        (pipe, "is no regular file"),
        (unix_socket, "is no regular file"),
        (link("/dev/zero"), "leads outside the repository"),
        (link("/proc/self/environ"), "leads outside the repository"),
        (link("/etc/passwd"), "leads outside the repository"),
        (link("../../secret.yaml"), "leads outside the repository"),
        (link("../../outside"), "leads outside the repository"),
    ],
    ids=["dangling", "elsewhere", "pipe", "socket", "device", "proc", "absolute", "relative", "folder"],
)
@pytest.mark.parametrize("name", ["evil.py:a.yaml", "net.yaml"])
@pytest.mark.parametrize("pattern", ["nets/*.yaml", "**/*.yaml", "nets/NAME"])
def test_what_is_no_file_of_the_repository_is_refused(pattern, name, make, said, options, project, capsys):
    make(project / "nets" / name)
    code, text = check(project, capsys, f'specs: ["{pattern.replace("NAME", name)}"]\n', *options)
    assert code == BAD
    assert f"'nets/{name}' {said}" in text


@INPUT
def test_a_folder_is_no_spec_and_its_name_no_code(options, project, capsys):
    folder(project / "nets/evil.py:a.yaml")
    code, text = check(project, capsys, "specs: ['nets/*.yaml']\n", *options)
    assert code == FINE
    assert "in 1 network: all passed" in text
    code, text = check(project, capsys, "specs: ['nets/evil.py:a.yaml']\n", *options)
    assert code == BAD
    assert "'nets/evil.py:a.yaml' is a folder" in text


@INPUT
def test_a_file_named_like_code_is_a_spec(options, project, capsys):
    (project / "nets/evil.py:a.yaml").write_text(SPEC)
    code, text = check(project, capsys, "specs: ['nets/*.yaml']\n", *options)
    assert code == FINE
    assert "in 2 networks: all passed" in text


def test_an_include_is_a_file(project, capsys):
    (project / "nets/ok.yaml").write_text(SPEC + 'include: "evil:Net"\n')
    code, text = check(project, capsys)
    assert code == BAD
    assert "no catalogue block 'evil:Net'" in text


def test_standard_input_is_not_listed(project, capsys, monkeypatch):
    code, text = check(project, capsys, "specs: ['-']\n")
    assert code == BAD
    assert "'-' matches no file" in text


@pytest.mark.parametrize(
    "pattern",
    [
        "/**", "/**/*.yaml", "/etc/passwd", "/proc/self/environ", "../secret.yaml", "../**", "../../../../**/*.yaml",
        "nets/../../secret.yaml", "*/../../outside/*.yaml", "out/*.yaml", "out/net.yaml", "*/net.yaml", "o*/**",
        "**/net.yaml", "out/**",
    ],
)  # fmt: skip
def test_a_pattern_that_leaves_the_repository_is_an_error_at_once(pattern, project, capsys):
    (project / "out").symlink_to("/" if "**" in pattern else "../outside")
    before = time.process_time()
    code, text = check(project, capsys, f'specs: ["{pattern}"]\n')
    assert code == BAD
    assert "outside the repository" in text
    assert time.process_time() - before < 1


def test_links_inside_the_repository_are_followed(project, capsys, monkeypatch):
    (project / "nets/same.yaml").symlink_to("ok.yaml")
    (project / "more").symlink_to("nets")
    (project / "nets/round").symlink_to("..")
    code, text = check(project, capsys, "specs: ['nets/**/*.yaml', 'more/*.yaml', 'nets/ok.yaml']\n")
    assert code == FINE
    assert "in 4 networks: all passed" in text
    (project / "deep").mkdir()
    monkeypatch.chdir(project / "deep")
    code, text = check(project, capsys, "specs: ['nets/ok.yaml']\n")
    assert code == FINE


def test_a_look_through_folders_ends(project, capsys, monkeypatch):
    monkeypatch.setattr(convcalc.budgets.spec_list, "MOST_ENTRIES", 50)
    for number in range(60):
        (project / f"nets/{number}.txt").touch()
    code, text = check(project, capsys, "specs: ['nets/*.yaml']\n")
    assert code == BAD
    assert "the patterns look through more than 50 files" in text
    path = project / "far"
    path.mkdir()
    for _ in range(150):
        path = path / "d"
        path.mkdir()
    code, text = check(project, capsys, "specs: ['far/**/*.yaml']\n")
    assert code == BAD
    assert "more than 50 files" in text
    monkeypatch.setattr(convcalc.budgets.spec_list, "MOST_ENTRIES", 10_000)
    code, text = check(project, capsys, "specs: ['far/**/*.yaml']\n")
    assert code == BAD
    assert "nested deeper than 100" in text


def test_catalogue_names_and_variants_are_listed(project, capsys, monkeypatch):
    (project / "nets/two.yaml").write_text(
        "vars: {n: 1}\nvariants: {two: {n: 2}}\ninput: 3x8x8\nlayers: [conv: {filters: '${n}', kernel: 1}]\n"
    )
    code, text = check(
        project, capsys, "specs: ['resnet18', 'resnet@34', 'nets/two.yaml@two']\nbudget: {params: 30M}\n"
    )
    assert code == FINE
    assert "in 3 networks: all passed" in text
    for name in ("resnet18", "resnet"):  # a file of that name, where the check is started
        (project / "nets" / name).symlink_to("../../secret.yaml")
    monkeypatch.chdir(project / "nets")
    code, text = check(project, capsys, "specs: ['resnet18']\nbudget: {params: 30M}\n")
    assert code == FINE
    code, text = check(project, capsys, "specs: ['nosuch']\n")
    assert code == BAD
    assert "'nosuch' matches no file" in text


@pytest.mark.parametrize("name", ["convcalc.yaml", "pyproject.toml"])
def test_settings_that_lead_outside_are_not_read(name, project, capsys):
    (project / name).symlink_to("../secret.yaml")
    assert run(["check", "nets/ok.yaml"]) == BAD
    text = capsys.readouterr().err
    assert f"'{name}' leads outside the repository" in text
    assert "TOP-SECRET" not in text


def test_a_baseline_names_files(project, capsys):
    (project / "base.yaml").write_text(
        "convcalc_baseline: 1\nnetworks:\n  'evil:Net': {params: 0}\n  'nets/evil.py:Net': {params: 0}\n"
    )
    check(project, capsys, "specs: ['nets/*.yaml']\n", "--baseline", "base.yaml", "--update-baseline")
    assert "nets/ok.yaml" in (project / "base.yaml").read_text()


def test_only_a_word_that_nothing_is_called_is_code(project):
    """A shell fills in the names of what is there: a folder or a link is no code either."""
    assert SpecName.parse("nets/evil.py:Net").reader == "convcalc.importers.torch"
    for make in (folder, link("nosuch"), pipe):
        path = project / f"nets/evil.py:{make.__name__.strip('<>')}"
        make(path)
        assert SpecName.parse(os.path.relpath(path)).reader == ""
