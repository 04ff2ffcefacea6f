"""The arguments of a block: the sizes in which its copies differ, as few as will do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from convcalc.exporters.yaml.nesting import BESIDE_FIELDS, Fields, Item, every
from convcalc.kinds import KINDS
from convcalc.kinds.fields import is_whole
from convcalc.numerals import whole_number


class _Arguments:
    """The sizes of a block that differ between its copies."""

    def __init__(self) -> None:
        self.columns: dict[str, tuple[Any, ...]] = {}
        self.writes: list[tuple[Item, str, Any]] = []

    def take(self, item: Item, key: str, column: tuple[Any, ...]) -> None:
        first = column[0]
        if all(value == first for value in column) and not _is_formula(first):
            self._put(item, key, first)
            return
        for name, known in self.columns.items():
            found = _derived(name, known, column, name.startswith("kernel") and key == "padding")
            if found:
                self._put(item, key, found)
                return
        base = re.sub(r"_\d+\Z", "", key)  # an argument of an inner block may have had a number there
        name, number = base, 2
        while name in self.columns:
            name, number = f"{base}_{number}", number + 1
        self.columns[name] = column
        self._put(item, key, f"${{{name}}}")

    def _put(self, item: Item, key: str, value: Any) -> None:
        self.writes.append((item, key, value))

    def values(self, number: int) -> Fields:
        """The arguments of one copy."""
        return {name: column[number] for name, column in self.columns.items()}

    def write(self) -> None:
        """Put the arguments into the copy that becomes the block's body."""
        for item, key, value in self.writes:
            if key in item.fields or value != _default(item, key):
                item.fields[key] = value


_FORMULA = re.compile(r"\$\{(?:(\d+) \* )?(\w+)\}")


def _is_formula(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("${")


def _scaled(value: Any, factor: int) -> Any:
    """A size, or a formula of an argument, times a factor; None for what is neither."""
    if is_whole(value):
        return value * factor
    found = _FORMULA.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    factor *= whole_number(found[1] or "1")
    return f"${{{factor} * {found[2]}}}" if factor > 1 else f"${{{found[2]}}}"


def arguments(runs: list[list[Item]], most: int | None = None) -> _Arguments:
    """What differs between runs of equal structure; looked for no further than to one more than `most`."""
    slots = [list(_slots(run)) for run in runs]
    found = _Arguments()
    for at, (item, key) in enumerate(slots[0]):
        if most is not None and len(found.columns) > most:
            break
        found.take(item, key, tuple(complete(owned[at][0]).get(key) for owned in slots))
    return found


def _derived(name: str, known: tuple[Any, ...], column: tuple[Any, ...], is_usual: bool) -> str:
    """`column` as a formula of the argument `name`; "" where it is none."""
    if known == column:
        return f"${{{name}}}"
    pairs = list(zip(known, column, strict=True))
    if len(set(pairs)) < 3 and not is_usual and not any(_is_formula(one) for one in known):
        return ""  # two networks' worth of numbers prove no rule
    for factor in (2, 3, 4, 6, 8, 16):
        if all(_scaled(first, factor) == second for first, second in pairs):
            return f"${{{factor} * {name}}}"
        if all(first == _scaled(second, factor) for first, second in pairs):
            return f"${{{name} // {factor}}}"
    if all(is_whole(first) and first // 2 == second for first, second in pairs):
        return f"${{{name} // 2}}"
    return ""


def complete(item: Item) -> Fields:
    """An entry's fields with sizes that were left out, so that `stride: 2` and no stride are one structure."""
    kind = KINDS.get(item.tag)
    if kind is None:
        return item.fields
    defaults = {key: field.default for key, field in kind.fields.items() if is_whole(field.default)}
    fields = {key: item.fields.get(key, defaults.get(key)) for key in kind.fields if key in {**defaults, **item.fields}}
    return {**fields, **{key: item.fields[key] for key in BESIDE_FIELDS if key in item.fields}}


def _default(item: Item, key: str) -> Any:
    kind = KINDS.get(item.tag)
    return kind.fields[key].default if kind is not None and key in kind.fields else None


def varies(value: Any) -> bool:
    """Whether a value is a size, so that copies of a block may differ in it."""
    if isinstance(value, tuple):
        return all(map(varies, value))
    return is_whole(value) or _is_formula(value)


def _slots(run: Sequence[Item]) -> Any:
    """Every size in a run of entries, in the same order for equal structures: (entry, field)."""
    for item in every(run):
        for key, value in complete(item).items():
            if varies(value):
                yield item, key
