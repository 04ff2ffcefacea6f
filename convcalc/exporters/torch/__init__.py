"""Graph -> source of PyTorch: a table of what each kind of layer is there, by exact class.

Every module beside this one is imported, which enters its kinds in the table: one family a file, named as in `kinds`.
"""

from __future__ import annotations

from importlib import import_module

from convcalc.discovery import modules
from convcalc.exporters.torch.writer import write

__all__ = ["write"]

for _name in modules(__file__):
    import_module(f"{__name__}.{_name}")
