"""convcalc schema: the JSON schema of a spec, or of a file of rules."""

from __future__ import annotations

from pathlib import Path

import click

from convcalc.commands._options import write_text
from convcalc.commands._sections import Sectioned


@click.command("schema", cls=Sectioned)
@click.option(
    "--of", type=click.Choice(["spec", "rules"]), default="spec", show_default=True, help="What it is the schema of."
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file instead of stdout."
)
def command(of: str, output: Path | None) -> None:
    """Print the JSON schema of a spec, or of a file of rules for operators, for editors.

    Editors use it for completion, descriptions and errors while you type (draft 7).

    \b
    convcalc schema -o convcalc.schema.json
    Then, as the first line of a spec:
    # yaml-language-server: $schema=convcalc.schema.json
    """
    import json

    from convcalc.schema import rules_schema, schema

    write_text(json.dumps(rules_schema() if of == "rules" else schema(), indent=1) + "\n", output)
