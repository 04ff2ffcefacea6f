"""The lists in README are those of the code: commands, formats, targets of `export`. A row that is missing is named."""

import re

import click
import pytest
from helpers.paths import ROOT

from convcalc import formats
from convcalc.cli import cli

PAGES = {path.name for path in (ROOT / "docs").glob("*.md")}
README = (ROOT / "README.md").read_text("utf-8")
CONTEXT = click.Context(cli)


def first_column(head):
    """The code words in the first column of README's table with this head."""
    table = README.partition(f"| {head} | what it ")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
    return [word for row in rows for word in re.findall(r"`([^`]+)`", row)]


def export_targets():
    (option,) = (option for option in cli.get_command(CONTEXT, "export").params if option.name == "language")
    return list(option.type.choices)


@pytest.mark.parametrize(
    ("head", "listed", "existing"),
    [
        ("command", {word.removeprefix("convcalc ").split()[0] for word in first_column("command")}, cli.list_commands),
        ("`-f`", set(first_column("`-f`")), lambda _: [*formats.names(), *formats.BINARY]),
        ("`--to`", set(first_column("`--to`")), lambda _: export_targets()),
    ],
    ids=["commands", "formats", "targets of export"],
)
def test_a_list_in_readme_is_the_list_of_the_code(head, listed, existing):
    names = set(existing(CONTEXT))
    assert not names - listed, f"add to the table of README.md with the head {head}: {sorted(names - listed)}"
    assert not listed - names, f"remove from the table of README.md with the head {head}: {sorted(listed - names)}"


@pytest.mark.parametrize("home", ["docs/index.md", "mkdocs.yml"])
def test_the_list_of_pages_is_whole(home):
    listed = set(re.findall(r"[\w-]+\.md", (ROOT / home).read_text("utf-8"))) | {"index.md"}
    assert listed == PAGES, f"{home} lists {sorted(listed ^ PAGES)} or should"
