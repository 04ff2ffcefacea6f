"""PyTorch in eager mode: every layer is an operator, activations write in place. A lower bound of what it holds."""

from __future__ import annotations

from convcalc.analysis.memory.profile import Profile, attention_steps
from convcalc.kinds import KINDS

_ACTIVATIONS = frozenset(name for name, kind in KINDS.items() if kind.family == "activation")

PROFILE = Profile(
    "eager",
    "PyTorch eager: norms are operators, activations write in place, views free, the caller keeps the input; a lower "
    "bound, since code may keep tensors that it no longer needs",
    folds_norms=False,
    views=frozenset({"flatten", "reshape", "identity", "dropout", "drop_path", "permute", "split", "slice", "crop"}),
    expansions={"attention": attention_steps},
    in_place=_ACTIVATIONS,
    keeps_inputs=True,
    is_lower_bound=True,
)
