"""Options in groups: a command receives a group as one parameter, and `--help` lists it under one heading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import Any

import click

Command = Callable[..., Any]
Decorator = Callable[[Any], Any]
REST = "Options"


def in_section(title: str, option: Decorator) -> Decorator:
    """Return an option of click that `--help` lists under a title; "" for none."""

    def decorate(function: Any) -> Any:
        decorated = option(function)
        decorated.__click_params__[-1].section = title
        return decorated

    return decorate


def grouped(
    name: str,
    group: Callable[..., Any],
    options: Mapping[str, Decorator],
    also: tuple[str, ...] = (),
    section: str = "",
) -> Callable[[Command], Command]:
    """Options that a command receives as one parameter: `name`, what `group` makes of their values.

    `options` are options of click by the names of their values; `also` are names that options beside these may give.
    `section` is their heading in `--help`.
    """

    def decorate(function: Command) -> Command:
        def command(**values: Any) -> Any:
            taken = {key: values.pop(key) for key in (*options, *also) if key in values}
            return function(**{name: group(**taken)}, **values)

        decorated: Command = update_wrapper(command, function)
        for option in reversed([*options.values()]):
            decorated = in_section(section, option)(decorated)
        return decorated

    return decorate


class Sectioned(click.Command):
    """A command whose `--help` lists its options in sections, in the order in which the command has them."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections.setdefault(getattr(parameter, "section", "") or REST, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)
