"""A sweep gives at every point what a plain count gives there, whatever varies, and a reason where there is none."""

import csv
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
from decimal import Decimal

import pytest
from click.testing import CliRunner
from helpers.paths import ROOT

from convcalc.analysis.count import FIGURES, count
from convcalc.catalogue import catalogue_files
from convcalc.cli import cli
from convcalc.errors import SpecError
from convcalc.language.builder import build
from convcalc.language.document_loader import load
from convcalc.language.overrides import Overrides
from convcalc.sweep.grid import Axis, Grid, read_axes, sample
from convcalc.sweep.select import Condition, Frontier
from convcalc.sweep.sweep import Chunk, Sweep

NET = """
name: net
input: 3x${size}x${size}
vars: {size: 32, width: 1.0, filters: 8, times: 2, groups: 1, act: relu, idle: 1}
variants: {small: {filters: 4}, odd: {filters: 5, groups: 5}}
blocks:
  pair:
    args: [wide]
    layers:
      - conv: {filters: "${wide}", kernel: 3, padding: 1, groups: "${groups}"}
      - batch_norm
      - ${act}
layers:
  - conv: {filters: "${make_divisible(filters * width, 4)}", kernel: [3, 1]}
  - conv: {filters: "${filters}", kernel: 5, stride: 2}
  - repeat: {times: "${times}", layers: [{pair: {wide: "${filters * 2}"}}]}
  - add: [[{conv: {filters: "${filters * 2}", kernel: 1}}], [{when: x, conv: {filters: "${2 * filters}", kernel: 1}}]]
  - flatten
  - linear: {features: 10}
""".replace("when: x, ", "")


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(NET)
    return str(path)


def plain(document, sweep, values):
    """What a plain count says of one point: figures, or the message."""
    try:
        counted = count(build(document, sweep._overrides(values)))
    except SpecError as error:
        return None, {problem.message for problem in error.problems}
    return [counted.figure(name) for name in FIGURES], set()


def rows_of(sweep):
    """Every point as a tuple: its columns, and its reason."""
    for chunk in sweep.chunks():
        for position, row in enumerate(chunk.rows([*(axis.name for axis in sweep.grid.axes), *FIGURES])):
            yield row, chunk.reasons.get(position)


def compare(document, grid, points=25, seed=0, **options):
    """Random points of the grid, from the whole sweep and from a list of places, against the plain counter."""
    numbers = sorted(random.Random(seed).sample(range(grid.size), min(points, grid.size)))
    places = [grid.point(number) for number in numbers]
    sweep = Sweep(document, Overrides(), grid, list(FIGURES), **options)
    sweep.check()
    every = list(rows_of(sweep))
    assert len(every) == len(sweep) == grid.size
    chosen = [every[number] for number in numbers]
    assert list(rows_of(Sweep(document, Overrides(), grid, list(FIGURES), places))) == chosen
    for place, (row, reason) in zip(places, chosen, strict=True):
        values = [axis.values[number] for axis, number in zip(grid.axes, place, strict=True)]
        assert row[: len(values)] == values
        expected, messages = plain(document, sweep, values)
        if expected is None:
            assert reason and any(reason.endswith(message) for message in messages), (values, reason, messages)
        else:
            assert reason is None, (values, reason)
            assert row[len(values) :] == expected, values


@pytest.mark.parametrize(
    "sets",
    [
        ["filters=4:64:4", "size=8:64:7"],
        ["size=1:9", "filters=-1:3"],
        ["width=0.05:1.5:0.05", "filters=4:64:log2"],
        ["times=0:3", "filters=1:6"],
        ["filters=1:6", "times=0:3", "size=16,32"],
        ["groups=1:8", "filters=1:16"],
        ["act=relu,gelu,nonsense", "size=12:20"],
        ["width=0.5,1,2.5", "filters=0.5,2,3.0", "size=20,21"],
        ["input=32,1x32x32,3x32", "filters=2:4"],
        ["input=3x24x32,3x16x20,1x9x9", "groups=1,2"],
        ["filters=100000000:900000000:200000000", "size=100000000,900000000"],
    ],
    ids=" ".join,
)
def test_every_point_is_what_a_plain_count_gives(net, sets):
    document = load(net)
    compare(document, read_axes(sets, "", document))


def test_variants_are_an_axis(net):
    document = load(net)
    compare(document, read_axes(["size=24:28"], "small,odd", document))


def test_figures_past_int64_are_exact(net):
    document = load(net)
    grid = read_axes(["filters=100000000,200000000", "size=500000000,1000000000"], "", document)
    (chunk,) = Sweep(document, Overrides(), grid, ["macs"]).chunks()
    assert max(chunk.columns["macs"].tolist()) > 2**100
    compare(document, grid)


def ranges(name, value):
    """A few values around what a spec says, for any variable of the catalogue."""
    if isinstance(value, (bool, str, list)):
        return None
    if isinstance(value, Decimal):
        return f"{name}={value},{value * Decimal('0.5')},{value * Decimal('1.3')}"
    return f"{name}={max(1, value - 2)}:{value + 3}"


VARIABLE = [name for name, path in catalogue_files().items() if path.parent.name != "blocks" and load(name).variables]


@pytest.mark.parametrize("name", VARIABLE)
def test_every_catalogue_network_sweeps_as_it_counts(name):
    document = load(name)
    for variable, node in document.variables.items():
        text = ranges(variable, node.plain())
        if text is None:
            continue
        try:
            compare(document, read_axes([text], "", document), points=4)
        except SpecError as error:
            assert "nothing in" in str(error)


def test_small_chunks_keep_the_order(net, monkeypatch):
    monkeypatch.setattr("convcalc.sweep.sweep.LONG", 4)
    document = load(net)
    compare(document, read_axes(["filters=2:9", "times=1,2", "size=12:17"], "", document), points=96, most=7)
    compare(document, read_axes(["filters=2:40"], "", document), points=39, most=7)


def run(*arguments):
    result = CliRunner().invoke(cli, ["sweep", *arguments], catch_exceptions=True)
    if isinstance(result.exception, SpecError):
        return 2, str(result.exception)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_csv_and_json_rows(net):
    _, text = run(net, "--set", "size=8,4", "--set", "filters=4", "-f", "csv", "--columns", "params,macs,flops")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["size"] for row in rows] == ["8", "4"]
    assert rows[1]["macs"] == ""
    assert "does not fit" in rows[1]["invalid"]
    _, text = run(net, "--set", "size=8,4", "--set", "width=0.5,1.0", "-f", "json")
    table = json.loads(text)["tables"][0]
    assert [row["width"] for row in table["rows"]] == [0.5, 1.0, 0.5, 1.0]
    assert table["grid"]["architectures"] == 4
    _, lines = run(net, "--set", "size=8,4", "-f", "jsonl")
    assert json.loads(lines.splitlines()[0])["params"] == table["rows"][1]["params"]


def test_where_and_pareto_choose_rows(net):
    _, text = run(net, "--set", "filters=4:32:4", "--set", "size=16:64:16", "-f", "csv")
    every = list(csv.DictReader(io.StringIO(text)))
    _, text = run(
        net, "--set", "filters=4:32:4", "--set", "size=16:64:16", "-f", "csv", "--where", "macs < 1.5M and size > 16"
    )
    assert list(csv.DictReader(io.StringIO(text))) == [
        r for r in every if int(r["macs"]) < 1_500_000 and int(r["size"]) > 16
    ]
    _, text = run(net, "--set", "filters=4:32:4", "--set", "size=16:64:16", "-f", "csv", "--pareto=macs,-filters,-size")
    points = {(int(r["macs"]), -int(r["filters"]), -int(r["size"])) for r in every}
    best = {p for p in points if not any(q != p and all(a <= b for a, b in zip(q, p, strict=True)) for q in points)}
    found = list(csv.DictReader(io.StringIO(text)))
    assert {(int(r["macs"]), -int(r["filters"]), -int(r["size"])) for r in found} == best
    assert [int(r["macs"]) for r in found] == sorted(int(r["macs"]) for r in found)


def test_samples_are_of_the_grid_and_repeatable():
    grid = Grid((Axis("a", "variable", range(100)), Axis("b", "variable", range(10**18))))
    for method in ("latin", "random"):
        points = sample(grid, 50, 7, method)
        assert points == sample(grid, 50, 7, method) != sample(grid, 50, 8, method)
        assert len(set(points)) == 50
        assert points == sorted(points)
    small = Grid((Axis("a", "variable", range(3)), Axis("b", "variable", range(4))))
    for size in (5, 11, 12, 99):
        points = sample(small, size, 3, "latin")
        assert len(set(points)) == len(points) == min(size, 12)
    # each of 50 equal parts of every axis is met once
    assert sorted(a // 2 for a, _ in sample(grid, 50, 7, "latin")) == list(range(50))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--set", "filters=4:64:0"], "never ends"),
        (["--set", "filters=4:64:-4"], "never ends"),
        (["--set", "filters=0:64:log2"], "never ends"),
        (["--set", "filters=1:1000000000", "--set", "size=1:1000000000"], "a grid of 1,000,000,000,000,000,000"),
        (["--set", "fliters=1,2"], "did you mean 'filters'?"),
        (["--set", "idle=1,2"], "nothing in .* uses this variable"),
        (["--set", "size=16,32", "--where", "macs < 1"], "none of the 2 architectures meets it"),
        (["--set", "size=16,32", "--where", "macs < "], "the end"),
        (["--set", "size=16,32", "--where", "mac < 1"], "did you mean 'macs'?"),
        (["--set", "size=16,32", "--columns", "mac"], "did you mean 'macs'?"),
        (["--set", "size=16,16"], "given twice"),
        (["--set", "size="], "VAR=VALUES was expected"),
        (["--set", "filters=1:1000000"], "too many for -f table"),
        ([], "nothing varies"),
    ],
)
def test_bad_input_is_one_clear_line(net, arguments, says):
    code, output = run(net, *arguments)
    assert code == 2
    assert re.search(says, output), output


def test_a_chart_of_two_columns(net, tmp_path):
    svg = tmp_path / "chart.svg"
    code, text = run(net, "--set", "filters=4:32:4", "--plot", "params,macs", "--svg", str(svg))
    assert code == 0
    assert "macs" in text and "┤" in text
    drawn = svg.read_text()
    assert drawn.count("<circle") == 8
    import xml.etree.ElementTree

    assert xml.etree.ElementTree.fromstring(drawn).tag.endswith("svg")


def test_a_condition_with_units_is_exact():
    from numpy import array

    chunk = Chunk({"macs": array([299_999_999, 300_000_000, 300_000_001])}, {})
    assert Condition("macs <= 300M", ["macs"]).holds(chunk).tolist() == [True, True, False]
    assert Condition("not macs < 0.3G", ["macs"]).holds(chunk).tolist() == [False, True, True]


def test_a_frontier_keeps_equals():
    from numpy import array

    frontier = Frontier("a,b", ["a", "b"])
    (best,) = frontier.of(
        [Chunk({"a": array([1, 2, 3]), "b": array([3, 3, 1])}, {}), Chunk({"a": array([1]), "b": array([3])}, {})]
    )
    assert [best.columns["a"].tolist(), best.columns["b"].tolist()] == [[1, 1, 3], [3, 3, 1]]


def test_parquet_holds_the_same_rows(net, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "points.parquet"
    assert run(net, "--set", "size=4,32", "--set", "width=0.5,1", "-f", "parquet", "-o", str(path))[0] == 0
    _, text = run(net, "--set", "size=4,32", "--set", "width=0.5,1", "-f", "csv")
    read = parquet.read_table(path).to_pylist()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [{key: "" if value is None else str(value) for key, value in row.items()} for row in read] == [
        {**row, "width": str(float(row["width"]))} for row in rows
    ]


def test_a_killed_worker_loses_no_rows(net):
    pytest.importorskip("distributed")
    from convcalc.sweep import cluster

    document = load(net)
    grid = read_axes(["filters=1:40", "times=1:3", "size=20:31"], "", document)
    sweep = Sweep(document, Overrides(), grid, ["params", "macs"], most=24)
    assert sweep.count() > 40
    found = []
    with cluster.cluster(2, "") as client:
        processes = list(client.run(os.getpid).values())
        assert len(set(processes)) == 2
        for number, chunk in enumerate(cluster.spread(sweep, client)):
            found.append(chunk)
            if number == 3:
                os.kill(processes[0], signal.SIGKILL)
    names = ["filters", "times", "size", "params", "macs"]
    assert [list(chunk.rows(names)) for chunk in found] == [list(chunk.rows(names)) for chunk in sweep.chunks()]


def test_frontiers_of_two_and_of_three_agree_with_the_definition():
    from numpy import array

    rng = random.Random(1)
    for size in (1, 2, 7, 60):
        columns = {name: [rng.randrange(9) for _ in range(size)] for name in "abc"}
        for names in ("ab", "abc"):
            points = list(zip(*(columns[name] for name in names), strict=True))
            best = [p for p in points if not any(q != p and all(map(int.__le__, q, p)) for q in points)]
            chunks = [Chunk({name: array(values[at::3]) for name, values in columns.items()}, {}) for at in range(3)]
            (found,) = Frontier(",".join(names), names).of(chunks)
            assert sorted(zip(*(found.columns[name].tolist() for name in names), strict=True)) == sorted(best)


def test_params_does_not_load_numpy(net):
    script = "import sys; from convcalc.cli import run; run(['params', sys.argv[1]]); assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", script, net], check=True, capture_output=True, cwd=ROOT)
