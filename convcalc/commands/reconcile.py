"""convcalc reconcile: which convention, size and batch explain a claimed number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from convcalc.commands._options import SPEC, Output, WholeNumber, emit, output_options, spec_options
from convcalc.commands._progress import progress
from convcalc.commands._sections import Sectioned
from convcalc.language.overrides import Overrides

if TYPE_CHECKING:
    from convcalc.graph import Graph


@click.command("reconcile", cls=Sectioned)
@click.argument("spec", type=SPEC)
@click.option(
    "--claim",
    "claims",
    multiple=True,
    required=True,
    metavar="N",
    help="The claimed figure: 4.14G, '25.6M params' or params=25.6M.",
)
@click.option(
    "--most", type=WholeNumber(1, 10_000), default=12, show_default=True, help="The most explanations to show."
)
@spec_options
@output_options
def command(spec: str, claims: tuple[str, ...], most: int, overrides: Overrides, output: Output) -> None:
    """Find what explains a claimed cost: which tool, input size or batch.

    Every convention is tried at the spec's input size and at common ones, with other batches, doubled or halved, with
    and without the head, and with batch norms folded. What gives the claimed digits is ranked by how little had to be
    changed.

    \b
    convcalc reconcile resnet50.yaml --claim 4.14G
    convcalc reconcile resnet50.yaml --claim 4.1G --claim "25.6M params"
    """
    from convcalc.conventions.reconcile import read_claim, readings
    from convcalc.errors import Problem, SpecError, UserError
    from convcalc.language.builder import build
    from convcalc.loader import open_document
    from convcalc.tables.reconcile import reconcile_report

    try:
        read = [read_claim(text) for text in claims]
    except UserError as error:
        raise SpecError([Problem(f"--claim: {error.message}", hint=error.hint)]) from None
    document, overrides = open_document(spec, overrides, is_strict=False)

    def network(size: str, folded: bool) -> Graph | None:
        """The network at an input size ("": its own), or None where it cannot be built so."""
        inputs = (size,) if size else overrides.inputs
        try:
            return build(document, overrides._replace(inputs=inputs, deploy=folded or overrides.deploy))
        except SpecError:
            if not size and not folded:
                raise
            return None

    with progress("reconcile"):
        report = reconcile_report(read, readings(network), most)
    emit(report, output)
