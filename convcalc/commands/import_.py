"""convcalc import: another tool's model as a spec."""

from __future__ import annotations

from pathlib import Path

import click

from convcalc.commands._options import project_rules, rules_option, strict_option, write_text
from convcalc.commands._progress import progress
from convcalc.commands._sections import Sectioned
from convcalc.language.overrides import Overrides


@click.command("import", cls=Sectioned)
@click.argument("model", metavar="MODEL")
@click.option(
    "--input", "inputs", multiple=True, metavar="SHAPE", help="The shape of an input: 3x224x224, 160, or NAME=SHAPE."
)
@strict_option
@rules_option
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file instead of stdout."
)
def command(model: str, inputs: tuple[str, ...], strict: bool, rules: tuple[str, ...], output: Path | None) -> None:
    """Write the spec of a model: a .onnx file, or a PyTorch module as package.module:attribute.

    Importing a module runs its code, as python does. No weights are read or allocated.

    Repeated parts become blocks, residual connections `add`, and parallel branches `concat`. Before the spec is
    written it is built again and counted: its totals are the model's.

    \b
    convcalc import model.onnx -o net.yaml
    convcalc import model.onnx --input 3x224x224 | convcalc params -
    convcalc import torchvision.models:resnet50 --input 3x224x224
    convcalc import nets/mine.py:Net --input image=3x64x64 --input words=12
    """
    from convcalc.exporters.yaml.writer import write_spec
    from convcalc.loader import graph

    overrides = Overrides(inputs=inputs, strict=strict, rules=rules or project_rules)
    with progress("import"):
        text = write_spec(graph(model, overrides))
    write_text(text, output)
