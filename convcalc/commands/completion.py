"""convcalc completion: what makes a shell complete commands, options and names of the catalogue."""

from __future__ import annotations

import click

from convcalc.commands._options import write_text
from convcalc.commands._sections import Sectioned


@click.command("completion", cls=Sectioned)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print shell completion of commands, options and networks.

    \b
    bash: eval "$(convcalc completion bash)"       in ~/.bashrc
    zsh:  eval "$(convcalc completion zsh)"        in ~/.zshrc
    fish: convcalc completion fish | source        in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None, shell
    root = click.get_current_context().find_root().command
    write_text(found(root, {}, "convcalc", "_CONVCALC_COMPLETE").source())
