"""Options that name a type of numbers, a runtime, a device or what is moved; lists are read when they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

_LISTS = {
    "precision": ("memory.precision", "NAMES"),
    "profile": ("memory.profile", "profile_names"),
    "device": ("roofline.device", "device_names"),
    "traffic": ("roofline.traffic", "TRAFFIC"),
}


class NameOf(click.ParamType):  # type: ignore[type-arg]  # generic only in newer releases
    """A name of a list that is read only when it is needed."""

    def __init__(self, name: str, or_file: bool = False) -> None:
        self.name, self.or_file = name, or_file

    def _names(self) -> list[str]:
        module, attribute = _LISTS[self.name]
        names = getattr(import_module(f"convcalc.analysis.{module}"), attribute)
        return [*(names() if callable(names) else names)]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from convcalc.errors import did_you_mean, quoted

        is_file = self.or_file and str(value).endswith((".yaml", ".yml"))
        if value and not is_file and value not in self._names():
            self.fail(f"no {self.name} {quoted(value)}; {did_you_mean(value, self._names())}", param, ctx)
        return value

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "[" + "|".join([*self._names(), *["FILE.yaml"] * self.or_file]) + "]"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(name) for name in self._names() if name.startswith(incomplete)]


precision_option = click.option(
    "--precision",
    type=NameOf("precision"),
    default="",
    help="Add the memory of the deployed network at this type: peak, arena and flash.",
)
