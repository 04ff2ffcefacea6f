"""ONNX node -> layers: one rule for each operator, one family of operators a file.

Importing this package imports every module in its folder, and with it registers their rules.
"""

from importlib import import_module
from pkgutil import iter_modules

from convcalc.importers.onnx.operators.registry import RULES

__all__ = ["RULES"]

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
