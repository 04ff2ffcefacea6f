"""convcalc export: a network in another tool's language."""

from __future__ import annotations

from pathlib import Path

import click

from convcalc.commands._options import SPEC, WholeNumber, spec_options, strict_option, write_text
from convcalc.commands._progress import progress
from convcalc.commands._sections import Sectioned
from convcalc.discovery import modules
from convcalc.language.overrides import Overrides


def _formats() -> list[str]:
    """What can be written: a file of the folder `exporters`, or a package with a writer, each."""
    return [name for name in modules(__file__, "../exporters", "writer.py") if name != "yaml"]  # that is `import`


@click.command("export", cls=Sectioned)
@click.argument("spec", type=SPEC)
@click.option("--to", "language", type=click.Choice(_formats()), required=True, help="The language.")
@click.option("--depth", type=WholeNumber(1, 100), help="Fold blocks below this many levels into one box each.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file instead of stdout."
)
@spec_options
@strict_option
def command(spec: str, language: str, depth: int | None, output: Path | None, overrides: Overrides) -> None:
    """Write a network in another tool's language.

    torch writes PyTorch code with a class for each block, keras writes Keras 3 code with a function for each block.
    onnx writes a model file with the weights that PyTorch initializes, and needs PyTorch. mermaid and dot are drawings
    with a box for each layer, its shape and its cost, folded to --depth.

    \b
    convcalc export resnet18 --to torch -o resnet18.py
    convcalc export resnet18 --to keras -o resnet18.py
    convcalc export net.yaml --to onnx -o net.onnx
    convcalc export googlenet --to mermaid --depth 1
    convcalc export resnet18 --to dot --depth 2 | dot -Tsvg > resnet18.svg
    """
    from importlib import import_module

    from convcalc.analysis.count import count
    from convcalc.errors import SpecError
    from convcalc.loader import graph

    writer = import_module(f"convcalc.exporters.{language}")
    if depth is not None and not getattr(writer, "FOLDS", False):
        raise SpecError("--depth folds drawings", f"leave it out: {language} has every layer")
    with progress("export"):
        text = writer.write(count(graph(spec, overrides)), depth)
    write_text(text, output)
