"""A name is text and nothing else: whatever it holds, every export and format has the structure of a plain name's.

Exporters and formats are found, not listed: a new one fails here until its own parser is given.
"""

import ast
import csv
import io
import json
import re
from importlib import import_module
from xml.etree import ElementTree

import onnx
import pytest
import yaml
from helpers.hostile import PLAIN, TEXTS

import convcalc.exporters
import convcalc.formats
from convcalc.analysis.count import count
from convcalc.discovery import modules
from convcalc.errors import SpecError, printable
from convcalc.exporters.code.code import comment, docstring, literal
from convcalc.exporters.code.own_code import evaluate, require_own_code, run
from convcalc.exporters.keras.vocabulary import VOCABULARY as KERAS
from convcalc.exporters.torch.vocabulary import VOCABULARY as TORCH
from convcalc.exporters.yaml.writer import write_spec
from convcalc.formats._chart import Chart, draw
from convcalc.formats._chart import svg as chart_svg
from convcalc.formats._map import svg as map_svg
from convcalc.formats._terminal import Look
from convcalc.formats._terminal import draw as draw_report
from convcalc.graph import Graph, Provenance
from convcalc.kinds.activation import Relu
from convcalc.kinds.conv import Conv
from convcalc.kinds.joins import Add
from convcalc.kinds.primitives import Elementwise, Opaque
from convcalc.loader import read
from convcalc.report import Column, Finding, Report, Table

EXPORTERS = modules(convcalc.exporters.__file__, "", "writer.py")
FORMATS = modules(convcalc.formats.__file__)
TEXT = pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))


def network(*texts, is_opaque=False):
    """A network whose own name, inputs, layers and source are the texts."""
    graph = Graph(texts[0])
    graph.provenance = Provenance(source=texts[0] or "x", note=texts[0] or "x", producer=texts[0], variant="")
    for text in texts:
        image = graph.add_input(text, (3, 8, 8))
        wide = graph.add(text, Conv(filters=3, kernel=3, padding="same"), (image,))
        about = graph.add(f"{text}/2", Elementwise(operation="comparisons"), (wide,))
        end = graph.add(f"block/{text}", Relu(), (about,))
        graph.add(f"block/{text}_", Add(), (end, image))
        if is_opaque:
            graph.add(f"{text}/3", Opaque(operator=text[:100] or "x", shape=(3,)), (end,))
    return graph


# the structure of what a tool writes, with its names left out: equal for any two names


def python(text, vocabulary):
    compile(text, "<export>", "exec")
    require_own_code(text, vocabulary)
    tree = ast.parse(text)
    comments = [line.partition("#")[2] for line in text.split("\n") if "#" in line and not line.startswith(("#", '"'))]
    assert "" not in comments
    return [type(node).__name__ for node in ast.walk(tree)]


STRING = r'"(?:[^"\\\x00-\x1f]|\\[\\"n])*"'


def dot(text):
    lines = text.split("\n")
    assert re.fullmatch(rf"digraph {STRING} {{", lines[0])
    assert lines[-2:] == ["}", ""]
    for line in lines[2:-2]:
        assert re.fullmatch(rf"  n\d+ \[label={STRING}(, shape=ellipse)?\];|  n\d+ -> n\d+;", line), line
    return len(lines)


def mermaid(text):
    lines = text.split("\n")
    label = r"\"(?:[\w ,.:/()+=-]|#\d+;|<br/>)*\""
    for line in lines[1:-1]:
        assert re.fullmatch(rf"  n\d+\[{label}\]|  n\d+\(\[{label}\]\)|  n\d+ --> n\d+", line), line
    return lines[0], len(lines)


def onnx_file(data):
    model = onnx.load_from_string(data)
    onnx.checker.check_model(model)
    return [node.op_type for node in model.graph.node]


def spec(text):
    document = yaml.safe_load(text)
    read(text)
    return list(document), [type(value).__name__ for value in document.values()]


def is_printable(text):
    return all(line.isprintable() for line in text.split("\n"))


EXPORT_PARSERS = {
    "torch": lambda text: python(text, TORCH),
    "keras": lambda text: python(text, KERAS),
    "dot": dot,
    "mermaid": mermaid,
    "onnx": onnx_file,
    "yaml": spec,
}


def export(name, graph):
    if name == "yaml":
        return write_spec(graph)
    return import_module(f"convcalc.exporters.{name}").write(count(graph), None)


@pytest.mark.parametrize("name", EXPORTERS)
def test_every_exporter_writes_any_name_as_text(name):
    assert name in EXPORT_PARSERS, "give its own parser to EXPORT_PARSERS"
    parse = EXPORT_PARSERS[name]
    every = [] if name == "onnx" else TEXTS  # PyTorch takes seconds for each
    for text in every:
        written = export(name, network(text))
        assert parse(written) == parse(export(name, network(PLAIN))), repr(text)
        assert is_printable(written), repr(text)
    plain = [f"{PLAIN}{number}" for number in range(len(TEXTS))]
    if name != "yaml":  # the blocks of many inputs are found by their names
        assert parse(export(name, network(*TEXTS))) == parse(export(name, network(*plain)))


@pytest.mark.parametrize("name", EXPORTERS)
def test_an_unknown_operator_is_text_or_refused_on_one_line(name):
    for text in TEXTS[:: 10 if name == "onnx" else 1]:
        try:
            written = export(name, network(text, is_opaque=True))
        except SpecError as error:
            assert is_printable(str(error)), repr(text)
            assert len(str(error).split("\n")) <= 2
        else:
            assert is_printable(written)
            EXPORT_PARSERS[name](written)


def report(text):
    """A report in which every text that a command hands over is this one."""
    holds = ["text", "name", "shape", "count", "exact", "change", "share", "ratio", "times", "bar"]
    values = [text, text, text, 1, 1, 1, 0.5, 2.0, 2.0, 0.5]
    columns = [Column(f"{kind}{text}", text, kind) for kind in holds]
    columns.append(Column(f"equation{text}", text, "equation"))
    rows = [[*values, {"formula": text, "numbers": text, "value": 1}]] * 2
    table = Table(text, columns, rows, rows[0], [text, text], {"fact": text, f"key{text}": [text]})
    findings = [
        Finding(level, f"rule/{level}/{text}", text, text or "net", 1, 1, text)
        for level in ("error", "warn", "info", "ok")
    ]
    return Report("check", [table], [text, text], {"fact": {"inner": text}}, True, findings)


def written(form, text):
    if form == "parquet":
        buffer = io.BytesIO()
        stream = io.TextIOWrapper(buffer, "utf-8")
        convcalc.formats.write(report(text), form, stream)
        return buffer.getvalue()
    stream = io.StringIO()
    convcalc.formats.write(report(text), form, stream)
    return stream.getvalue()


def lines_of(text):
    return len(text.splitlines())


def structure(value):
    if isinstance(value, dict):
        return [structure(inner) for inner in value.values()]
    return [structure(inner) for inner in value] if isinstance(value, list) else type(value).__name__


def json_lines(text):
    return [structure(json.loads(line)) for line in text.splitlines()]


def csv_rows(text):
    rows = list(csv.reader(io.StringIO(text), strict=True))
    for row in rows[1:]:
        assert not any(cell.startswith(tuple("=+@\t\r")) for cell in row)
        assert not any(cell.startswith("-") and not re.fullmatch(r"-[\d.]+", cell) for cell in row)
    return [len(row) for row in rows]


def markdown(text):
    lines = text.splitlines()
    bare = [re.sub(r"\\.", "", line) for line in lines]
    for line in bare:
        assert not re.search(r"[`<\[\]~$&]|@(?!<!-- -->)", line.replace("@<!-- -->", "")), line
        assert not re.match(r"- +(\d+[.)]|[-+=#])", line), line
    return [line.count("|") for line in bare]


LATEX = """
    usepackage begin centering caption toprule midrule bottomrule end rule textbackslash textasciitilde textasciicircum
    textless textgreater textbar textasciigrave times leq geq rightarrow pm
"""


def latex(text):
    lines = text.splitlines()
    commands = set(re.findall(r"\\([A-Za-z]+)", text.replace("\\\\", "")))
    assert commands <= set(LATEX.split())
    bare = [re.sub(r"\\[^A-Za-z\\]", "", line) for line in lines[1:]]
    assert all(line.count("{") == line.count("}") for line in bare)
    assert not any(re.search(r"[%#_^~`]", line) for line in bare)
    assert not any(line.lstrip().startswith(("[", "*")) for line in lines)
    return [(line.count("&"), line.endswith("\\\\")) for line in bare]


def xml(text):
    return [(node.tag, *node.attrib) for node in ElementTree.fromstring(text).iter()]


def commands(text):
    lines = re.split(r"[\r\n]", text)
    found = [re.fullmatch(r"::(\w+) title=[^,:]*,file=[^,:]*,line=\d+,col=\d+::(.*)", line) for line in lines[:-1]]
    assert all(found)
    assert not re.search(r"^\s*##\[|##\[", text)
    return [command[1] for command in found]


def table_file(data):
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(io.BytesIO(data))
    return [str(kind) for kind in table.schema.types], len(table.to_pylist())


def sarif(text):
    log = json.loads(text)
    for result in log["runs"][0]["results"]:
        assert not re.search(r"(?<!\{)\{\d+\}(?!\})|(?<!\\)\]\(", result["message"]["text"])
    return structure(log)


PICTURE_PARTS = {"svg", "style", "defs", "clipPath", "rect", "g", "text", "circle", "pre", "span"}
LOADS_NOTHING = re.compile(r"(?!.*@)(?!.*url\((?!#)).*", re.DOTALL)


def picture(text):
    """The kinds of elements with their attributes; how many depends on where a name is folded."""
    root = ElementTree.fromstring(text)
    for node in root.iter():
        assert node.tag.rpartition("}")[2] in PICTURE_PARTS
        assert not any("href" in key or key.startswith("on") for key in node.attrib)
        rules = [*node.attrib.values(), *([node.text] if node.tag.endswith("style") else [])]
        assert all(LOADS_NOTHING.fullmatch(rule) for rule in rules)
    return {(node.tag, *node.attrib) for node in root.iter()}


FORMAT_PARSERS = {
    "csv": csv_rows,
    "github": commands,
    "gitlab": lambda text: structure(json.loads(text)),
    "html": picture,
    "json": lambda text: structure(json.loads(text)),
    "jsonl": json_lines,
    "junit": xml,
    "latex": latex,
    "markdown": markdown,
    "parquet": table_file,
    "sarif": sarif,
    "svg": picture,
    "table": lines_of,
}


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_writes_any_name_as_text(form):
    assert form in FORMAT_PARSERS, "give its own parser to FORMAT_PARSERS"
    parse = FORMAT_PARSERS[form]
    plain = parse(written(form, PLAIN))
    for text in TEXTS:
        found = written(form, text)
        if isinstance(found, str):
            assert is_printable(found), repr(text)
            found.encode()
        if not text.strip():
            continue  # a title and a message of nothing are left out
        assert parse(found) == plain, repr(text)


@TEXT
def test_json_keeps_every_text_that_is_one(text):
    whole = "".join(c if not "\ud800" <= c <= "\udfff" else f"\\u{ord(c):04x}" for c in text)
    assert json.loads(written("json", text))["fact"] == {"inner": whole}


@TEXT
def test_drawings_and_the_terminal_write_any_name_as_text(text):
    chart, plain = (Chart(name, name, name, [(0, 0), (1, 1)]) for name in (text, PLAIN))
    assert xml(chart_svg(chart)) == xml(chart_svg(plain))
    assert is_printable(draw(chart))
    families, others = ({name: [(10, 100), (1000, 50)]} for name in (text, PLAIN))
    has_line = ("line", "x1", "y1", "x2", "y2", "stroke", "stroke-width")  # to a name that is too long to be beside
    tags, plain_tags = ([tag for tag in xml(map_svg(name, by)) if tag[1:] != has_line[1:]] for name, by in (
        (text, families), (PLAIN, others)))  # fmt: skip
    assert tags == plain_tags
    drawn = draw_report(report(text), Look(10_000))
    assert is_printable(drawn)


@TEXT
def test_source_holds_a_text_as_one_constant_or_none(text):
    assert ast.literal_eval(literal(text)) == printable(text)
    (line,) = ast.parse(docstring([text, text])).body
    assert ast.get_docstring(ast.Module([line], []), clean=False) == f"{printable(text)}\n{printable(text)}\n"
    assert len(ast.parse(f"x = 1{comment(text)}\ny = 2").body) == 2


METHOD = "class A(nn.Module):\n    def f(self, x): "


@pytest.mark.parametrize(
    "line",
    [
        "import os", "from os import system", "import torch.hub", "import torch as nn", "print(1)", "x = 1",
        "torch.load('a')", "exec('a')", "class A(nn.Module): __x__ = 1", "class A(nn.Module):\n    x = open('a')",
        "class A(nn.Module, metaclass=nn.Meta):\n    def f(self): return 1",
        "@torch.compile\nclass A(nn.Module):\n    def f(self): return 1", f"{METHOD}torch.load('a')",
        f"{METHOD}torch.hub.load('a')", f"{METHOD}x.numpy().tofile('a')", f"{METHOD}import os",
        f"{METHOD}return self.__class__", f"{METHOD}return (lambda: x)()", f"{METHOD}return [].pop()",
        f"{METHOD}self.apply(self)", f"{METHOD}return __import__('os')", f"{METHOD}global x",
        f"{METHOD}return nn.utils.x", "def f(x: print(1)): return x", "def f(x=torch.load('a')): return x",
        "def f() -> print(1): return 1", "while True: pass", "with open('a') as f: pass", "f'{open(1)}'",
        "async def f(): await x", "del torch", "assert open('a')", "try:\n    import os\nexcept A: pass", "\0",
    ],
)  # fmt: skip
def test_source_with_anything_else_is_neither_kept_nor_run(line):
    for vocabulary in (TORCH, KERAS):
        with pytest.raises(SpecError, match="holds what convcalc never writes"):
            require_own_code(f"{line}\n", vocabulary)
        with pytest.raises(SpecError, match="holds what convcalc never writes"):
            run(line, vocabulary)


def test_what_runs_has_no_function_that_reaches_out(tmp_path):
    """Names are not looked at by the syntax tree, because a layer may be called `open`: Python's own are not there."""
    path = tmp_path / "made"
    for call in (
        f"open({str(path)!r}, 'a')",
        "eval('1')",
        "exec('1')",
        "compile('1', '', 'eval')",
        "getattr(1, 'real')",
    ):
        with pytest.raises(NameError):
            evaluate(call, TORCH, {})
        with pytest.raises(NameError):
            run(f"class A:\n    def f(self, x={call}):\n        return x", TORCH)
    assert not path.exists()
