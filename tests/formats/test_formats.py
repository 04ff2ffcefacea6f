"""Every format writes any table, and no text in it can do more than be read."""

import csv
import io
import json
import re

import pytest

from convcalc.formats import names, write
from convcalc.formats._layout import fit, folded
from convcalc.report import Column, Report, Table

NASTY = [
    "=cmd()",
    "+1",
    "@someone",
    "a|b",
    "`x`",
    "<img src=x>",
    "[bold]b[/]",
    ":smile:",
    "\x1b[31mred",
    "a\nb",
    "層層",
]
COLUMNS = [
    Column("name", "name", "name"),
    Column("count", "count & more"),
    Column("share", "%", "share"),
    Column("shape", "shape", "shape"),
    Column("bar", "bar", "bar"),
    Column("times", "times", "times"),
    Column("how", "how", "equation"),
]
ROW = [10**30, 0.5, (256, 28, 28), 0.25, 0.0825, {"formula": "C*K", "numbers": "2*3", "value": 6}]
TABLE = Table(
    "T_1 | 100% <b>", COLUMNS, [[text, *ROW] for text in NASTY], ["total", 11 * 10**30, 1.0, None, None, None, None]
)
REPORT = Report("test", [TABLE], ["a note: 50% & _more_"], {"fact": 1}, exact=True)

# these write findings, of which a table has none
FINDINGS = ("github", "gitlab", "junit", "sarif")


def written(form, report=REPORT):
    stream = io.StringIO()
    write(report, form, stream)
    return stream.getvalue()


@pytest.mark.parametrize("form", names())
def test_numbers_are_whole_and_control_characters_are_escaped(form):
    text = written(form)
    assert "\x1b" not in text
    number = 10**30
    if form not in FINDINGS:
        assert str(number) in text or f"{number:,}" in text


@pytest.mark.parametrize("form", names())
def test_a_table_without_rows_and_one_without_a_total(form):
    written(form, Report("test", [Table("none", COLUMNS, [])]))
    written(form, Report("test", [Table("", COLUMNS, [["x", *ROW]])]))
    written(form, Report("test", []))


def test_csv_cells_are_no_formulas():
    rows = list(csv.reader(io.StringIO(written("csv"))))
    assert rows[0] == [column.key for column in COLUMNS]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)
    assert rows[1][:4] == ["'=cmd()", str(10**30), "0.5", "256x28x28"]


def test_csv_of_several_tables_is_one_table():
    other = Table("other", [Column("name", "name", "name"), Column("extra", "extra")], [["x", -1]])
    rows = list(csv.reader(io.StringIO(written("csv", Report("test", [TABLE, other])))))
    assert rows[0][0] == "table"
    assert rows[-1][:3] == ["other", "x", ""]
    assert rows[-1][-1] == "-1"


def test_markdown_cells_stay_in_their_column():
    lines = [line for line in written("markdown").split("\n") if line.startswith("|")]
    assert len(lines) == 2 + len(NASTY) + 1
    for line in lines:
        assert line.replace(r"\|", "").count("|") == len(COLUMNS) + 1
        assert not re.search(r"(?<!\\)<(?!!-- -->)", line)
        assert "@someone" not in line
    assert r"**T_1 \| 100% \<b\>**" in written("markdown")


def test_latex_has_no_bare_sign():
    text = written("latex")
    body = text.replace("\\\\\n", "\n")
    rows = [line for line in body.split("\n") if " & " in line]
    assert len(rows) == 1 + len(NASTY) + 1
    for row in rows:
        assert row.replace(r"\&", "").count("&") == len(COLUMNS) - 1
        assert row.replace(r"\%", "").count("%") == 0
    assert r"$256 \times 28 \times 28$" in text


def test_json_keeps_values():
    data = json.loads(written("json"))
    assert data["fact"] == 1
    row = data["tables"][0]["rows"][0]
    assert row["count"] == 10**30
    assert row["shape"] == [256, 28, 28]
    assert row["how"] == {"formula": "C*K", "numbers": "2*3", "value": 6}


def test_plain_columns_line_up_with_wide_characters():
    from convcalc.formats.table import plain, width

    lines = plain(TABLE, exact=True)[1:]
    assert len({width(line) for line in lines if "256x28x28" in line}) == 1


# -- the terminal ------------------------------------------------------------------------------------------------------

LAYERS = Table(
    "net",
    [
        Column("name", "name", "name"),
        Column("kind", "kind", "text"),
        Column("biases", "biases", optional=True),
        Column("macs", "MACs"),
    ],
    [[f"inception_{n}/branch_{b}", "conv", 1234567, 160_563_200] for n in range(2) for b in range(2)],
)


def shown(room, exact=None):
    layout = fit(LAYERS, room, exact)
    return layout, "\n".join(" ".join(row) for row in layout.rows)


def test_with_room_every_digit_is_shown():
    layout, text = shown(80)
    assert "160,563,200" in text
    assert layout.width <= 80


def test_less_room_takes_units_then_a_tree_then_leaves_out_what_is_optional():
    assert "161 M" in shown(44)[1]
    tree = shown(40)[1].split("\n")
    assert tree[0].split() == ["inception_0/"]
    assert tree[1].startswith(" branch_0")
    layout, _ = shown(26)
    assert [column.key for column in layout.columns] == ["name", "kind", "macs"]
    assert "no room for: biases" in layout.notes[-1]


@pytest.mark.parametrize("room", [1, 10, 20])
def test_what_cannot_fit_runs_over_whole(room):
    assert "161 M" in shown(room)[1]
    assert "160,563,200" in shown(room, exact=True)[1]


def test_a_long_word_is_folded_where_it_must_be():
    assert folded("abcdefghij", 4).split("\n") == ["abcd", " efg", " hij"]
    assert folded("a b c", 3) == "a b\n c"


def test_the_map_of_networks_is_xml_with_a_place_for_each():
    from xml.etree import ElementTree

    from convcalc.formats._map import svg

    families = {"a<b": [(10**6, 10**5), (10**9, 10**7)], "one": [(500_000_000, 25_000_000)]}
    root = ElementTree.fromstring(svg("a & b", families))
    circles = root.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 3
    assert all(0 < float(circle.get("cx")) < 1000 and 0 < float(circle.get("cy")) < 720 for circle in circles)
    assert {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")} >= {"a<b", "one", "1 M", "MACs"}
    ElementTree.fromstring(svg("one", {"one": [(1, 1)]}))
