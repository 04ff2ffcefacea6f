"""Networks as drawings: a box a layer or block, an arrow where one reads another, every cost in a box."""

import re

import pytest

from convcalc.analysis.count import count
from convcalc.cli import run
from convcalc.exporters._drawing import draw
from convcalc.loader import load, read

RESIDUAL = """\
input: 4x8x8
layers:
  - add:
      name: join
      branches: [[conv: {name: 'a', filters: 4, kernel: 1}], []]
"""


def test_mermaid_to_the_letter(tmp_path, capsys):
    (tmp_path / "net.yaml").write_text(RESIDUAL)
    assert run(["export", str(tmp_path / "net.yaml"), "--to", "mermaid"]) == 0
    assert capsys.readouterr().out == (
        "flowchart TD\n"
        '  n0(["input<br/>4x8x8"])\n'
        '  n1["a<br/>conv, 4x8x8<br/>20 params, 1,024 MACs"]\n'
        '  n2["join<br/>add, 4x8x8"]\n'
        "  n0 --> n1\n  n1 --> n2\n  n0 --> n2\n"
    )


def test_dot_to_the_letter(tmp_path, capsys):
    (tmp_path / "net.yaml").write_text(RESIDUAL)
    assert run(["export", str(tmp_path / "net.yaml"), "--to", "dot", "-o", str(tmp_path / "net.dot")]) == 0
    assert (tmp_path / "net.dot").read_text() == (
        'digraph "net" {\n  node [shape=box, fontname="sans-serif", fontsize=11];\n'
        '  n0 [label="input\\n4x8x8", shape=ellipse];\n'
        '  n1 [label="a\\nconv, 4x8x8\\n20 params, 1,024 MACs"];\n'
        '  n2 [label="join\\nadd, 4x8x8"];\n'
        "  n0 -> n1;\n  n1 -> n2;\n  n0 -> n2;\n}\n"
    )


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "yolo_v3", "vit_b_16", "shufflenet_v2_x0_5"])
@pytest.mark.parametrize("depth", [None, 1, 2])
def test_every_box_is_reached_and_arrows_run_down(name, depth):
    drawing = draw(count(load(name)), depth)
    assert all(0 <= start < len(drawing.boxes) and 0 <= stop < len(drawing.boxes) for start, stop in drawing.arrows)
    assert all(start < stop for start, stop in drawing.arrows)
    made = {number for number, box in enumerate(drawing.boxes) if not box.is_input and "parameter" not in box.lines[1]}
    assert made <= {stop for _, stop in drawing.arrows}
    assert len(set(drawing.arrows)) == len(drawing.arrows)


def test_names_cannot_break_out_of_a_drawing(tmp_path, capsys):
    spec = tmp_path / "net.yaml"
    spec.write_text("name: 'x\"; <b>'\ninput: {'a': 3x4x4}\nlayers: [relu]\n")
    for form in ("mermaid", "dot"):
        assert run(["export", str(spec), "--to", form]) == 0
        text = capsys.readouterr().out
        assert text.replace('\\"', "").count('"') % 2 == 0
        assert "<b>" not in re.sub(r'"[^"]*"', "", text.replace('\\"', ""))


def test_what_cannot_be_exported(capsys):
    assert run(["export", "resnet18"]) == 2
    assert run(["export", "resnet18", "--to", "nothing"]) == 2
    assert "mermaid" in capsys.readouterr().err


def test_an_empty_network():
    assert draw(count(read("input: 3x4x4\nlayers: []"))).arrows == []
