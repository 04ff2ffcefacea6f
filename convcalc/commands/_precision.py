"""Options that name a type of numbers, or a runtime; their lists are read only when they are needed."""

from __future__ import annotations

from typing import Any

import click


class NameOf(click.ParamType):  # type: ignore[type-arg]  # generic only in newer releases
    """A name of a list that is read only when it is needed."""

    def __init__(self, name: str) -> None:
        self.name = name

    def _names(self) -> list[str]:
        from convcalc.analysis.memory.precision import NAMES
        from convcalc.analysis.memory.profile import profile_names

        return [*NAMES] if self.name == "precision" else profile_names()

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from convcalc.errors import did_you_mean, quoted

        if value and value not in self._names():
            self.fail(f"no {self.name} {quoted(value)}; {did_you_mean(value, self._names())}", param, ctx)
        return value

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "[" + "|".join(self._names()) + "]"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(name) for name in self._names() if name.startswith(incomplete)]


precision_option = click.option(
    "--precision",
    type=NameOf("precision"),
    default="",
    help="Add the memory of the deployed network at this type: peak, arena and flash.",
)
