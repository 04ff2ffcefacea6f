"""What each ONNX operator is in our graph: a rule an operator, found by its name.

Every module beside this one is imported, which is all the registration there is.
"""

from importlib import import_module
from pkgutil import iter_modules

from convcalc.importers.onnx.operators.registry import RULES

__all__ = ["RULES"]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
