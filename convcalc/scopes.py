"""The layers that a limit, or bits, are stated for: those of a name, a block, a pattern or a kind.

A block's layers are found without a look at the others; a pattern is compared with every name, as often as a bound
allows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

from convcalc.errors import UserError, did_you_mean

MOST_COMPARED = 2_000_000  # names with patterns, in one network
_AFTER_SLASH = chr(ord("/") + 1)


class Scopes:
    """The layers of a network by path and kind, searched by `layers PATTERN`, `kinds NAME`, or "" for all.

    >>> scopes = Scopes([("stem/conv", "conv"), ("stem/relu", "relu"), ("stem_2", "conv")])
    >>> scopes.layers("layers stem"), scopes.layers("layers stem*"), scopes.layers("kinds conv"), scopes.layers("")
    ([0, 1], [0, 1, 2], [0, 2], [0, 1, 2])
    """

    def __init__(self, layers: Iterable[tuple[str, str]], blocks: Iterable[str] = ()) -> None:
        self.paths: list[str] = []
        self.kinds: dict[str, list[int]] = {}
        for index, (path, kind) in enumerate(layers):
            self.paths.append(path)
            self.kinds.setdefault(kind, []).append(index)
        self.blocks = blocks
        self.compared = 0
        self.order = sorted(range(len(self.paths)), key=self.paths.__getitem__)
        self.sorted = [self.paths[index] for index in self.order]

    def layers(self, scope: str) -> list[int]:
        """Return the numbers of the layers in a scope, in their order. Raises UserError for too many patterns."""
        group, _, name = scope.partition(" ")
        if not scope:
            return [*range(len(self.paths))]
        if group == "kinds":
            return self.kinds.get(name, [])
        found = {*self._between(f"{name}/", name + _AFTER_SLASH)}  # a block's
        if not any(sign in name for sign in "*?["):
            found |= {*self._between(name, f"{name}\0")}
        else:
            self.compared += len(self.paths)
            if self.compared > MOST_COMPARED:
                message = f"patterns and the names of layers are compared more than {MOST_COMPARED:,} times"
                raise UserError(message, hint="name blocks or kinds instead of patterns")
            found |= {index for index, path in enumerate(self.paths) if fnmatchcase(path, name)}
        return sorted(found)

    def nearest(self, scope: str) -> Callable[[], str]:
        """Make a hint for a scope without layers, worked out when it is read: the names that it could have."""
        group, _, name = scope.partition(" ")
        return lambda: did_you_mean(name, sorted(self.kinds if group == "kinds" else {*self.paths, *self.blocks}))

    def _between(self, first: str, after: str) -> Sequence[int]:
        """The layers whose paths are in a range of texts."""
        return self.order[bisect_left(self.sorted, first) : bisect_left(self.sorted, after)]
