"""convcalc: what a convolutional network costs, layer by layer, and why.

>>> import convcalc
>>> network = convcalc.read('''
... input: 256x28x28
... layers:
...   - conv: {name: reduce, filters: 16, kernel: 1}
...   - conv: {name: wide, filters: 32, kernel: 5, padding: same}
... ''')
>>> counted = convcalc.count(network)
>>> counted.figure("weights"), counted.figure("macs")
(16896, 13246464)
>>> [(row.path, row.figure("weights"), row.output) for row in counted.rows]
[('reduce', 4096, (16, 28, 28)), ('wide', 12800, (32, 28, 28))]
>>> convcalc.explain(network.layers[1])[3]
Line(name='weights', formula='C/g*K*R*S', numbers='16*32*5*5', value=12800)

`convcalc.load` reads a file, or a network of the catalogue by name. What is wrong with a spec is a `SpecError`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it; importing typing is time in which Ctrl-C would show a traceback
if TYPE_CHECKING:
    from typing import Any

    from convcalc.analysis.compare import compare
    from convcalc.analysis.count import Count, count
    from convcalc.analysis.explain import explain_layer as explain
    from convcalc.budgets.check import OverBudget, check
    from convcalc.errors import SpecError
    from convcalc.graph import Graph
    from convcalc.importers.torch import from_torch
    from convcalc.loader import load, read

__version__ = "0.1.0"
__all__ = [
    "Count",
    "Graph",
    "OverBudget",
    "SpecError",
    "check",
    "compare",
    "count",
    "explain",
    "from_torch",
    "load",
    "read",
]

# each is imported when first asked for, so that a command line loads no more than it uses
_HOMES = {
    "Count": "analysis.count:Count",
    "Graph": "graph:Graph",
    "OverBudget": "budgets.check:OverBudget",
    "SpecError": "errors:SpecError",
    "check": "budgets.check:check",
    "compare": "analysis.compare:compare",
    "count": "analysis.count:count",
    "explain": "analysis.explain:explain_layer",
    "from_torch": "importers.torch:from_torch",
    "load": "loader:load",
    "read": "loader:read",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'convcalc' has no attribute {name!r}")
    from importlib import import_module

    module, _, own = _HOMES[name].partition(":")
    return getattr(import_module(f"convcalc.{module}"), own)
