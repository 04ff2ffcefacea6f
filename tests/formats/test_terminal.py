"""What a terminal is sent: the layout, drawn by rich, with colours and signs; never another text than the layout."""

import functools
import io
import re

import pytest

from convcalc.analysis.count import count
from convcalc.catalogue import catalogue_files
from convcalc.errors import Place, Problem, Source, SpecError, printable
from convcalc.formats._layout import GAP, fit
from convcalc.formats._terminal import MOST_ROWS, Drawing, Look, as_lines, draw, draw_error, open_console
from convcalc.formats.table import LEFT, pad
from convcalc.loader import graph
from convcalc.report import Column, Finding, Report, Table
from convcalc.tables.count import count_tables

NETWORKS = [name for name, path in catalogue_files().items() if path.parent.name != "blocks"]
SGR = re.compile(r"\x1b\[[0-9;]*m")


@functools.cache
def counted(name):
    return count(graph(name))


def plain(layout):
    """The lines of a layout, put together by hand."""
    lines = []
    every = [layout.headings, *layout.rows, *([layout.total] if layout.total else [])]
    for number, row in enumerate(every):
        parts = [cell.split("\n") for cell in row]
        height = max(map(len, parts))
        if number == 0:  # headings stand on the rule
            parts = [[""] * (height - len(part)) + part for part in parts]
        cut = [[part[at] if at < len(part) else "" for part in parts] for at in range(height)]
        lefts = [column.holds in LEFT for column in layout.columns]
        if number and layout.total and number == len(every) - 1:
            lines.append("─" * layout.width)
        lines += [(" " * GAP).join(map(pad, line, layout.widths, lefts)).rstrip() for line in cut]
        if number == 0:
            lines.append("─" * layout.width)
    return lines


def sent(part, room, has_color=False):
    stream = io.StringIO()
    open_console(stream, Look(room, has_color=has_color)).print(part, crop=False)
    return [line.rstrip() for line in SGR.sub("", stream.getvalue()).split("\n")][:-1]


class Lines:
    """The lines of a long table, for a console."""

    def __init__(self, layout):
        self.layout = layout

    def __rich_console__(self, console, options):
        return as_lines(self.layout)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_drawn_is_the_layout(name):
    """Every network folded, every eighth with all its layers and as a tree; as lines and as it is drawn."""
    for depth, is_tree in ((1, False), (None, False), (3, True)) if name in NETWORKS[::8] else ((1, False),):
        (table,) = count_tables(counted(name), depth, "layer", "", "", is_tree)
        for room in (60, 80, 120, 200):
            layout = fit(table, room, None)
            expected = plain(layout)
            assert sent(Lines(layout), room) == expected
            drawn = Drawing(layout._replace(title="", notes=()), Look(room))
            assert sent(drawn, room) == expected


NAMES = ["layers.[0].conv[bold]x[/bold]", "[/foo]", ":rocket:", "層層", "é\u0301", "\x1b[31m", "❤\ufe0f", "👩🏽"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("room", [1, 20, 40, 80])
@pytest.mark.parametrize("has_color", [False, True])
def test_a_name_is_text_and_no_number_is_cut(name, room, has_color):
    columns = [Column("name", name, "name"), Column("macs", "MACs")]
    report = Report("test", [Table(name, columns, [[name, 10**30], ["x", 7]], [name, 10**30])], [name])
    text = SGR.sub("", draw(report, Look(room, exact=True, has_color=has_color)))
    assert text.count(f"{10**30:,}") == 2
    assert "\x1b" not in text
    assert "…" not in text
    joined = re.sub(r"\s", "", text)
    assert printable(name) in joined or room < 20


def test_the_first_number_of_a_broken_limit_is_red_and_the_verdict_is_last():
    columns = [Column("rule", "limit on", "text"), Column("value", "value", "exact"), Column("level", "", "level")]
    rows = [["params", 7, "error"], ["macs", 5, "warn"], ["flops", 3, "ok"]]
    found = [Finding(level, rule, "", "a.yaml") for rule, _, level in rows]
    note = "a.yaml:1:2: error: params: 7"
    report = Report(
        "check", [Table("a", columns, rows, None, [note])], ("1 broken", "more"), {}, True, found, "1 broken"
    )
    text = draw(report, Look(80, has_color=True))
    assert "\x1b[1;31m✗ error\x1b[0m" in text
    assert re.search(r"\x1b\[1;31m +7\x1b\[0m", text)
    assert re.search(r"\x1b\[33m +5\x1b\[0m", text)
    assert "\x1b[32m✓ ok" in text
    assert "\x1b[1;31m error\x1b[0m" not in text
    assert "a.yaml:1:2:\x1b[1;31m error:\x1b[0m params: 7" in text
    assert text.endswith("\x1b[1;31m✗ 1 broken\x1b[0m\n")
    assert draw(report, Look(80, is_plain=True)).isascii()
    assert "x error" in draw(report, Look(80, is_plain=True))


def test_fewer_is_green_and_more_is_red():
    columns = [Column("figure", "", "text"), Column("ratio", "vs.", "times"), Column("macs", "MACs +/-", "change")]
    table = Table("", columns, [["a", 0.25, -3], ["b", 4.0, 3], ["c", 1.0, 0]])
    lines = draw(Report("test", [table]), Look(80, has_color=True)).split("\n")[2:]
    assert "\x1b[32m4.00x fewer\x1b[0m" in lines[0]
    assert "\x1b[32m      -3\x1b[0m" in lines[0]
    assert "\x1b[31m 4.00x more\x1b[0m" in lines[1]
    assert "\x1b[31m      +3\x1b[0m" in lines[1]
    assert "\x1b[3" not in lines[2]


def test_an_error_has_a_red_word_a_red_caret_and_a_cyan_hint():
    source = Source("a: error: b.yaml", "layers: [error: 3]")
    error = SpecError([Problem("no layer", Place(source, 1, 10, 15), hint="error: none [bold]")])
    text = draw_error(str(error))
    lines = text.split("\n")
    assert SGR.sub("", text) == f"{error}\n"
    assert "\x1b" not in lines[1]
    assert lines[2].endswith("|          \x1b[1;31m^~~~~\x1b[0m")
    assert lines[3] == "\x1b[36m   hint: error: none [bold]\x1b[0m"


def test_a_long_table_looks_like_a_short_one():
    columns = [Column("name", "name", "name"), Column("macs", "MACs"), Column("share", "%", "share")]
    rows = [[f"layer{number:03}", number, 0.5] for number in range(400)]
    assert len(rows) > MOST_ROWS > 30
    long, short = (
        draw(Report("test", [Table("t", columns, part, ["total", 400, 1.0])]), Look(80, has_color=True)).split("\n")
        for part in (rows, rows[:30])
    )
    assert [line.replace(" ", "") for line in long[:32]] == [line.replace(" ", "") for line in short[:32]]
