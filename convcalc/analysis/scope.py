"""The rows of a count that a limit is stated for."""

from __future__ import annotations

from collections.abc import Sequence

from convcalc.analysis.count import Row
from convcalc.scopes import Scopes


class RowScopes(Scopes):
    """The rows of a count by the scope of a limit."""

    def __init__(self, rows: Sequence[Row]) -> None:
        super().__init__((row.path, row.kind) for row in rows)
        self.counted = rows

    def rows(self, scope: str) -> list[Row]:
        """Return the rows in a scope. Raises UserError for too many patterns.

        >>> from convcalc.analysis.count import count
        >>> from convcalc.loader import read
        >>> rows = count(read("{input: 8, layers: [{linear: {name: head.a, features: 4}}, relu]}")).rows
        >>> [row.path for row in RowScopes(rows).rows("layers head*")], len(RowScopes(rows).rows(""))
        (['head.a'], 2)
        """
        return [self.counted[index] for index in self.layers(scope)]
