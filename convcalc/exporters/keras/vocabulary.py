"""What a file of Keras may name."""

from __future__ import annotations

import re

from convcalc.exporters.code.own_code import Vocabulary

VOCABULARY = Vocabulary(
    imports=frozenset({"import keras", "from keras import layers", "from keras import layers, ops"}),
    roots=frozenset({"keras", "layers", "ops"}),
    library=re.compile(
        r"""keras\.(Input|Model|Sequential)|layers\.[A-Z]\w*
        |ops\.(arange|broadcast_to|clip|exp|expand_dims|gelu|log_softmax|logsumexp|matmul|max|maximum|mean|moveaxis)
        |ops\.(ones_like|pad|power|shape|sign|split|square|sum|swapaxes|take|zeros)""",
        re.VERBOSE,
    ),
    methods=frozenset({"__init__", "shape"}),
    functions=frozenset({"super", "float", "len", "range", "sum"}),
)
