"""convcalc schema: the JSON schema of a spec."""

from __future__ import annotations

from pathlib import Path

import click

from convcalc.commands._options import write_text


@click.command("schema")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file instead of stdout."
)
def command(output: Path | None) -> None:
    """Print the JSON schema of a spec, for editors.

    Editors use it for completion, descriptions and errors while you type (draft 7).

    \b
    convcalc schema -o convcalc.schema.json
    Then, as the first line of a spec:
    # yaml-language-server: $schema=convcalc.schema.json
    """
    import json

    from convcalc.schema import schema

    write_text(json.dumps(schema(), indent=1) + "\n", output)
