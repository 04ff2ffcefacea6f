"""What fits a width: every network of the catalogue, in the tables of every command, without a cut number."""

import functools

import pytest

from convcalc.analysis.count import count
from convcalc.analysis.diff import diff
from convcalc.budgets.check import Base, judge, parse_limits
from convcalc.catalogue import catalogue_files
from convcalc.formats._layout import fit
from convcalc.formats.table import plain, width
from convcalc.language.overrides import Overrides
from convcalc.language.sources import Files
from convcalc.loader import SpecName, graph, open_document
from convcalc.report import Column, Table
from convcalc.rewrites import suggest
from convcalc.tables.catalogue import catalogue_report, networks
from convcalc.tables.compare import compare_report
from convcalc.tables.count import count_tables
from convcalc.tables.diff import diff_report
from convcalc.tables.explain import explain_report
from convcalc.tables.suggest import suggest_report

NETWORKS = [name for name, path in catalogue_files().items() if path.parent.name != "blocks"]
WIDTHS = (60, 80, 120, 200)


@functools.cache
def counted(name):
    return count(graph(name))


def assert_fits(tables, room):
    for table in tables:
        layout = fit(table, room, None)
        assert layout.width <= room, (room, layout.width, layout.headings)
        whole = [heading.replace("-\n", "-").replace("\n", " ") for heading in layout.headings]
        assert whole == [column.heading for column in layout.columns]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_table_of_a_network_fits_every_width(name):
    for room in WIDTHS:
        assert_fits(count_tables(counted(name), None, "layer", "", ""), room)
        assert_fits(count_tables(counted(name), 1, "kind", "", ""), room)


@pytest.mark.parametrize("number", range(1, len(NETWORKS)))
def test_two_networks_side_by_side_and_their_differences_fit_80_columns(number):
    old, new = (counted(name) for name in NETWORKS[number - 1 : number + 1])
    assert_fits(compare_report([old, new]).tables, 80)
    assert_fits(diff_report(old, new, diff(old, new)).tables, 80)


@pytest.mark.parametrize("name", NETWORKS[::7])
def test_formulas_limits_and_every_column_fit_80_columns(name):
    assert_fits(explain_report(counted(name)).tables, 80)
    assert_fits(count_tables(counted(name), None, "layer", "all", ""), 80)
    limits = parse_limits({"params": "1", "macs": "1", "weight_bytes": "1"}, "--max-{}")
    verdict = judge(SpecName.parse(name), limits, None, Base("", ""), Overrides())
    assert_fits([verdict.table], 80)
    document, overrides = open_document(name, Overrides())
    suggestions = suggest(document, overrides, Files(""))
    assert_fits(suggest_report(document, suggestions[:20], len(suggestions), "", False).tables, 80)


def test_four_networks_and_the_whole_catalogue_fit_80_columns():
    assert_fits(compare_report([counted(name) for name in ("resnet", "vgg", "googlenet", "densenet")]).tables, 80)
    assert_fits(catalogue_report(networks()).tables, 80)


def test_a_heading_breaks_between_words_and_at_their_hyphens():
    table = Table("", [Column("a", "name", "name"), Column("b", "vs. Inception-ResNet-v2 +/-")], [["x", 1]])
    assert fit(table, 14, None).headings[1] == "vs.\nInception-\nResNet-v2\n+/-"


def test_the_first_column_is_never_left_out():
    columns = [Column("kind", "kind", "text", optional=True), Column("macs", "MACs", optional=True)]
    layout = fit(Table("", columns, [["convolution", 10**9]]), 5, None)
    assert [column.key for column in layout.columns] == ["kind"]


def test_a_name_in_a_tree_is_whole_below_its_branch():
    paths = ["", *("/".join(["inception_with_a_long_name"] * depth) for depth in range(1, 12)), "last", "last"]
    table = Table("", [Column("name", "name", "tree"), Column("macs", "MACs")], [[path, 10**9] for path in paths])
    for room in (20, 40, 80):
        layout = fit(table, room, True)
        cells = [row[0] for row in layout.rows]
        assert cells[0] == "network"
        assert cells[-1] == "  "
        for depth, cell in enumerate(cells[1:-2]):
            lines = cell.split("\n")
            assert lines[0].startswith(("├ " if depth == 0 else "│ " + "  " * (depth - 1) + "└ ") + "inc")
            assert "".join(line.lstrip("│├└ ") for line in lines) == "inception_with_a_long_name"
        assert all(row[1] == "1,000,000,000" for row in layout.rows)
        assert layout.width >= max(map(width, "\n".join(cells).split("\n"))) + 2 + 13


def test_spare_columns_are_drawn_where_there_is_room_and_left_out_without_a_note():
    spare = [(Column("bar", "bar", "bar"), [1.0]), (Column("more", "more", "bar"), [0.5])]
    columns = [Column("name", "name", "name"), Column("macs", "MACs")]
    table = Table("", columns, [["a", 10**9]], ["total", 10**9], spare=lambda: spare)
    own = ["name", "macs"]
    whole = fit(table, 80, None)
    assert [column.key for column in whole.columns] == [*own, "bar", "more"]
    one = fit(table, whole.width - 1, None)
    assert [column.key for column in one.columns] == [*own, "bar"]
    none = fit(table, one.width - 1, None)
    assert [column.key for column in none.columns] == own
    assert not none.notes
    assert plain(table, True) == plain(table._replace(spare=tuple), True)


def test_at_200_columns_params_has_sizes_bars_and_every_number_whole():
    (table,) = count_tables(count(graph("googlenet")), 1, "layer", "", "")
    layout = fit(table, 200, None)
    assert [column.key for column in layout.columns[-3:]] == ["sizes", "macs_bar", "params_bar"]
    sizes = dict(zip((row[0] for row in layout.rows), (row[-3] for row in layout.rows), strict=True))
    assert (sizes["conv1"], sizes["pool1"], sizes["inception_3a"], sizes["lrn1"]) == ("7x7 s2", "3x3 s2", "", "n5")
    assert layout.width <= 200
    assert "1,582,671,872" in layout.total
    assert [column.key for column in fit(table, 80, None).columns] == [
        column.key for column in fit(table._replace(spare=tuple), 80, None).columns
    ]
