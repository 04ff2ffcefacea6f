"""ONNX operators -> layers of our graph: one rule for each operator, found by its name.

Every module of this folder is imported; a rule registers itself with `@rule("Conv")`.
"""

from importlib import import_module

from convcalc.discovery import modules
from convcalc.importers.onnx.operators.registry import RULES

__all__ = ["RULES"]

for _name in modules(__file__):
    import_module(f"{__name__}.{_name}")
