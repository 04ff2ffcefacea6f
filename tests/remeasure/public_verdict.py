"""How the figures of a model compare with what is right.

A figure is `exact`; or it differs and the report names the difference (`said`); or unused parameters are left out
and nothing says so (`unused`); or it is marked as a lower bound (`bound`); or it is wrong in silence (`silent`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

FOLDED = {"onnx": "params_B_batch_norms_folded", "onnx_older": "params_C_batch_norms_folded"}
VERDICTS = ("exact", "said", "unused", "bound", "silent", "refused", "not built")
AMOUNT = re.compile(r"(?<![\w.,])(\d+(?:,\d{3})*)(?![\w.])(?: [\w-]+){0,3}? (?:param|weight|element|value|MAC)")

Found = Mapping[str, Any]


class Verdict(NamedTuple):
    """How a model's figures compare: one word for each figure, and one for both."""

    params: str
    macs: str
    both: str


def verdict(truth: Found, route: str, found: Found) -> Verdict:
    """Whether figures are right, by route: a file stores only what its exporter kept, a module has all its parameters.

    >>> truth = {"params": 100, "params_used": 90, "macs": 1000}
    >>> verdict(truth, "module", {"params": 100, "macs": 1000, "status": "complete"})
    Verdict(params='exact', macs='exact', both='exact')
    >>> verdict(truth, "module", {"params": 90, "macs": 1000, "status": "complete"}).both
    'unused'
    >>> balance = {"counted": 90, "in_no_layer": [{"name": "mask", "params": 4}, {"name": "cls", "params": 6}]}
    >>> verdict(truth, "module", {"params": 90, "macs": 1000, "status": "complete", "balance": [balance]}).both
    'said'
    >>> verdict(truth, "onnx", {"params": 90, "macs": 900, "status": "complete"})
    Verdict(params='exact', macs='silent', both='silent')
    >>> verdict(truth, "onnx", {"params": 90, "macs": 900, "status": "lower_bound"}).both
    'bound'
    """
    for reason in ("refused", "not_built"):
        if reason in found:
            says = reason.replace("_", " ")
            return Verdict(says, says, says)
    params, macs = of_params(truth, route, found), of_macs(truth, found)
    if found["status"] == "lower_bound":
        is_above = found["params"] > most_params(truth) or found["macs"] > truth.get("macs_with_unseen", truth["macs"])
        return Verdict(params, macs, "silent" if is_above else "bound")
    return Verdict(params, macs, max(params, macs, key=VERDICTS.index))


def of_params(truth: Found, route: str, found: Found) -> str:
    """The verdict on params."""
    less = {truth[key] for key in ("params_used", "params_outputs_need") if key in truth}
    right = {truth["params"]} if route == "module" else {truth["params"], *less, truth.get(FOLDED[route])}
    if found["params"] in right:
        return "exact"
    missing = [value - found["params"] for value in (truth["params"], *less, truth.get(FOLDED.get(route, ""))) if value]
    if any(is_named(abs(amount), found) for amount in missing):
        return "said"
    if route != "module" and is_covered(missing, found):
        return "said"
    return "unused" if found["params"] in less else "silent"


def most_params(truth: Found) -> int:
    """The most params that are right by any account."""
    return max(int(value) for key, value in truth.items() if key.startswith("params") and value)


def of_macs(truth: Found, found: Found) -> str:
    """The verdict on MACs."""
    if found["macs"] in (truth["macs"], truth.get("macs_with_unseen")):
        return "exact"
    return "said" if is_named(abs(truth["macs"] - found["macs"]), found) else "silent"


def is_named(amount: int, found: Found) -> bool:
    """Whether the report states this amount: in its balance, as a sum of its parts, or in a note with a unit.

    >>> is_named(1024, {"notes": ["1,024 params are in no layer: mask_token (never used)"]})
    True
    """
    stated = {number for note in found.get("notes", ()) for number in amounts(note)}
    return amount in (stated | set(numbers(found.get("balance", [])))) - {0, 1}


def is_covered(missing: Iterable[int], found: Found) -> bool:
    """Whether notes of folded batch norms, or of tables kept as stored, are about as many params as differ."""
    text = " ".join(found.get("notes", ()))
    folded = found.get("norm_params") or 0 if re.search("batch norms? (was|were) folded", text) else 0
    tables = max((most for note in found.get("notes", ()) if "stored" in note for most in amounts(note)), default=0)
    return any(0 < amount <= folded or 0 < abs(amount) <= tables for amount in missing)


def amounts(note: str) -> list[int]:
    """The numbers of params, values or MACs in a text.

    >>> amounts("12,345 params are values that the exporter computed and stored (2 tables); 64 MACs no output needs")
    [12345, 64]
    """
    return [int(number.replace(",", "")) for number in AMOUNT.findall(note)]


def numbers(value: Any) -> Iterator[int]:
    """All whole numbers in nested values, and the sums over lists of the numbers under one name.

    >>> sorted(set(numbers({"left": [{"params": 2}, {"params": 5}]})))
    [2, 5, 7]
    """
    if isinstance(value, int) and not isinstance(value, bool):
        yield value
    elif isinstance(value, str):
        yield from amounts(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from numbers(inner)
        parts = list(value.values())
        if parts and all(isinstance(part, int) for part in parts):
            yield sum(parts)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from numbers(inner)
        rows = [inner for inner in value if isinstance(inner, Mapping)]
        for key in {key for row in rows for key in row}:
            yield sum(row[key] for row in rows if isinstance(row.get(key), int))
