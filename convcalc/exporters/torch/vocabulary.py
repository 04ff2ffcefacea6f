"""What a file of PyTorch may name."""

from __future__ import annotations

import re

from convcalc.exporters.code.own_code import Vocabulary

_METHODS = """
    __init__ amax device dim expand flatten logsumexp long mean movedim permute reshape shape split square squeeze sum
    transpose unflatten unfold unsqueeze
"""

VOCABULARY = Vocabulary(
    imports=frozenset({"import torch", "from torch import nn", "import torch.nn.functional as F"}),
    roots=frozenset({"torch", "nn", "F"}),
    library=re.compile(
        r"""nn\.([A-Z]\w*|utils\.parametrizations\.weight_norm)
        |F\.(conv(_transpose)?[1-3]d|max_(un)?pool[1-3]d|pad|scaled_dot_product_attention)
        |torch\.(arange|cat|exp|inf|maximum|ones|ones_like|pow|rand|sign|zeros)""",
        re.VERBOSE,
    ),
    methods=frozenset(_METHODS.split()),
    functions=frozenset({"super", "max"}),
)
