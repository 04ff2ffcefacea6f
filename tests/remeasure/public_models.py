"""Measure convcalc over public models whose params and MACs are known; run by hand.

    python tests/remeasure/public_models.py TRUTH.json --route module --json now.json
    python tests/remeasure/public_models.py TRUTH.json --group timm --against before.json
    python tests/remeasure/public_models.py TRUTH.json --only hf__bert hf__detr --route onnx onnx_older

TRUTH.json is a list of models: how each is constructed, its inputs, its right figures. It needs the packages that the
models come from (torch, torchvision, timm, transformers, pytorchcv, segmentation-models-pytorch, monai, diffusers,
ultralytics, efficientnet_pytorch, scipy) beside onnx and onnxscript; nothing is downloaded. Each model runs in a
process of its own, made by a fork, with limits of time and memory. Routes: the module, a file of PyTorch's exporter,
a file of the older one.

A figure is `exact`; or it differs and the report names the difference (`said`); or unused parameters are left out
and nothing says so (`unused`); or it is marked as a lower bound (`bound`); or it is wrong in silence (`silent`).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
ROUTES = ("module", "onnx", "onnx_older")
FOLDED = {"onnx": "params_B_batch_norms_folded", "onnx_older": "params_C_batch_norms_folded"}
VERDICTS = ("exact", "said", "unused", "bound", "silent", "refused", "not built")
AMOUNT = re.compile(r"(?<![\w.,])(\d+(?:,\d{3})*)(?![\w.])(?: [\w-]+){0,3}? (?:param|weight|element|value|MAC)")

Found = Mapping[str, Any]


class Verdict(NamedTuple):
    """How a model's figures compare: one word for each figure, and one for both."""

    params: str
    macs: str
    both: str


def main() -> None:
    """Measure, print the table and what is not exact."""
    options = arguments()
    entries = [
        entry
        for entry in json.loads(options.truth.read_text())
        if (not options.group or entry["group"] in options.group)
        and (not options.only or any(part in entry["name"] for part in options.only))
    ]
    results: dict[str, dict[str, Any]] = {}
    if options.resume and options.json and options.json.is_file():
        results = json.loads(options.json.read_text())["results"]
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    measure_all(entries, options, results)
    names = {entry["name"] for entry in entries}
    chosen = {name: found for name, found in results.items() if name in names}
    print("\n".join(table(entries, chosen, options.route)))
    print("\n".join(["", *differences(entries, chosen, options.route)]))
    if options.against:
        print("\n".join(["", *changes(entries, chosen, earlier(options.against), options.route)]))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("truth", type=Path, help="the file of models and their right figures")
    parser.add_argument("--route", nargs="+", choices=ROUTES, default=["module"])
    parser.add_argument("--group", nargs="+", default=[], help="models of these packages")
    parser.add_argument("--only", nargs="+", default=[], help="models whose names contain one of these")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=600, help="seconds for a model and all its routes")
    parser.add_argument("--memory", type=float, default=8, help="GB for a process")
    parser.add_argument("--tree", type=Path, default=ROOT, help="the tree whose convcalc is measured")
    parser.add_argument("--keep", type=Path, help="a folder for small exported files, read from it when run again")
    parser.add_argument("--json", type=Path, help="where the results are written, after each model")
    parser.add_argument("--resume", action="store_true", help="measure only what the file of --json has not")
    parser.add_argument("--against", type=Path, help="earlier results, or a truth file that has some: what changed")
    return parser.parse_args()


def measure_all(entries: Sequence[Found], options: argparse.Namespace, results: dict[str, dict[str, Any]]) -> None:
    """Add each model's results by route, and write them as they come."""
    waiting = []
    for entry in entries:
        routes = [route for route in options.route if route not in results.get(entry["name"], {})]
        if routes:
            waiting.append((entry, routes))
    if not waiting:
        return
    import public_model  # beside this file; it needs torch

    public_model.warm(str(options.tree.resolve()), {entry["group"] for entry, _ in waiting})
    with tempfile.TemporaryDirectory(prefix="convcalc-remeasure-") as folder:
        running: list[Running] = []
        while waiting or running:
            while waiting and len(running) < options.workers:
                running.append(start(*waiting.pop(0), options, Path(folder), public_model.run))
            for one in [one for one in running if not one.process.is_alive() or time.monotonic() > one.until]:
                running.remove(one)
                found = ended(one, options.timeout)
                results.setdefault(one.entry["name"], {}).update(found)
                show(one.entry, found)
                if options.json:
                    options.json.write_text(json.dumps({"results": results}, indent=1) + "\n")
            time.sleep(0.05)


class Running(NamedTuple):
    """A model that is being measured in a process of its own, until when it may run, where its results are written."""

    entry: Found
    routes: Sequence[str]
    process: BaseProcess
    until: float
    into: Path


def start(
    entry: Found, routes: Sequence[str], options: argparse.Namespace, folder: Path, run: Callable[[Found], None]
) -> Running:
    """Begin to measure a model."""
    own = folder / entry["name"]
    own.mkdir()
    request = {
        "entry": entry,
        "routes": routes,
        "keep": str(options.keep.resolve()) if options.keep else "",
        "memory": options.memory,
        "into": str(own / "found.json"),
    }
    process = multiprocessing.get_context("fork").Process(target=run, args=(request,), daemon=True)
    process.start()
    return Running(entry, routes, process, time.monotonic() + options.timeout, own / "found.json")


def ended(one: Running, timeout: float) -> dict[str, Any]:
    """What a process found by route; where it ended early, the reason."""
    reason = f"the process ended with {one.process.exitcode}"
    if one.process.is_alive():
        one.process.kill()
        reason = f"not done after {timeout:g} s"
    one.process.join()
    found = json.loads(one.into.read_text()) if one.into.is_file() else {}
    shutil.rmtree(one.into.parent)
    return {route: found.get(route, {"not_built": reason}) for route in one.routes}


def show(entry: Found, found: Found) -> None:
    """A line of progress for each route."""
    for route, one in found.items():
        says = verdict(entry["truth"], route, one).both
        print(f"{entry['name']:48} {route:10} {one.get('seconds', 0):6.1f} s  {says}", file=sys.stderr, flush=True)


# Verdicts


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
        is_above = found["params"] > most_params(truth) or found["macs"] > truth["macs"]
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
    if found["macs"] == truth["macs"]:
        return "exact"
    return "said" if is_named(abs(truth["macs"] - found["macs"]), found) else "silent"


def is_named(amount: int, found: Found) -> bool:
    """Whether the report states this amount: in its balance, as a sum of its parts, or in a note with a unit.

    >>> is_named(1024, {"notes": ["1,024 params are in no layer: mask_token (never used)"]})
    True
    """
    stated = {number for note in found.get("notes", ()) for number in amounts(note)}
    return amount in stated | set(numbers(found.get("balance", []))) - {0, 1}


def is_covered(missing: Iterable[int], found: Found) -> bool:
    """Whether notes of folded batch norms, or of tables kept as stored, are about as many params as differ."""
    text = " ".join(found.get("notes", ()))
    folded = found.get("norm_params") or 0 if re.search("batch norms? (was|were) folded", text) else 0
    tables = max((most for note in found.get("notes", ()) if "stored" in note for most in amounts(note)), default=0)
    return any(0 < amount <= folded or 0 < abs(amount) <= tables for amount in missing)


def amounts(note: str) -> list[int]:
    """The numbers of params, values or MACs in a text.

    >>> amounts("12,345 learned values are as the exporter stored them (2 of them); 64 MACs no output needs")
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


# What is printed


def table(entries: Sequence[Found], results: Mapping[str, Found], routes: Sequence[str]) -> list[str]:
    """A row for each group and route, and one for all groups."""
    groups = sorted({entry["group"] for entry in entries})
    heading = ("params =", "MACs =", *VERDICTS)
    lines = [
        f"{'group':14} {'route':10} {'models':>7}" + "".join(f" {name:>9}" for name in heading) + "  exact or said"
    ]
    for route in routes:
        for group in (*groups, ""):
            found = [
                verdict(entry["truth"], route, results[entry["name"]][route])
                for entry in entries
                if group in ("", entry["group"]) and route in results.get(entry["name"], {})
            ]
            read = sum(one.both not in ("refused", "not built") for one in found)
            good = sum(one.both in ("exact", "said") for one in found)
            cells = [sum(one.params == "exact" for one in found), sum(one.macs == "exact" for one in found)]
            cells += [sum(one.both == name for one in found) for name in VERDICTS]
            rate = f"{good / read:.1%} of {read} read" if read else "-"
            row = f"{group or 'all':14} {route:10} {len(found):7}" + "".join(f" {cell:9}" for cell in cells)
            lines.append(f"{row}  {rate}")
    return lines


def differences(entries: Sequence[Found], results: Mapping[str, Found], routes: Sequence[str]) -> list[str]:
    """What is not exact: ours, what is right, what the report says of it."""
    lines = []
    for entry in entries:
        for route in routes:
            found = results.get(entry["name"], {}).get(route)
            if found is None:
                continue
            says = verdict(entry["truth"], route, found)
            if says.both != "exact":
                lines.append(f"{entry['name']} {route}: {says.both}; {compared(entry['truth'], route, found, says)}")
    return lines


def compared(truth: Found, route: str, found: Found, says: Verdict) -> str:
    """The figures that differ and the notes, on one line."""
    for reason in ("refused", "not_built"):
        if reason in found:
            return str(found[reason])[:300]
    parts = []
    if says.params != "exact":
        rights = {key.removeprefix("params_"): truth[key] for key in truth if key.startswith("params")}
        wanted = {
            key: value for key, value in rights.items() if "folded" not in key or f"params_{key}" == FOLDED.get(route)
        }
        known = ", ".join(f"{key} {value:,}" for key, value in wanted.items())
        parts.append(f"params {found['params']:,} ({found['params'] - truth['params']:+,}; right: {known})")
    if says.macs != "exact":
        parts.append(f"MACs {found['macs']:,} not {truth['macs']:,} ({found['macs'] - truth['macs']:+,})")
    if found.get("uncounted"):
        parts.append(f"not counted: {', '.join(found['uncounted'])}")
    if found.get("balance"):
        parts.append(f"balance: {json.dumps(found['balance'])[:300]}")
    parts += [f"note: {note[:200]}" for note in found.get("notes", ()) if not note.startswith("1 MAC")]
    return "; ".join(parts)


def earlier(path: Path) -> dict[str, dict[str, Any]]:
    """Results of an earlier run, or those that a truth file has of an earlier revision."""
    content = json.loads(path.read_text())
    if isinstance(content, dict):
        return dict(content["results"])
    found: dict[str, dict[str, Any]] = {}
    for entry in content:
        key = next(key for key in entry if key.startswith("convcalc_at_"))
        found[entry["name"]] = {
            route: {"refused": had} if isinstance(had, str) else had for route, had in entry[key].items()
        }
    return found


def changes(
    entries: Sequence[Found], results: Mapping[str, Found], before: Mapping[str, Found], routes: Sequence[str]
) -> list[str]:
    """Models whose figures or verdicts are others than before."""
    lines, same = [], 0
    for entry in entries:
        for route in routes:
            old, new = (one.get(entry["name"], {}).get(route) for one in (before, results))
            if old is None or new is None:
                continue
            was, now = (verdict(entry["truth"], route, one).both for one in (old, new))
            figures = [[one.get(key) for key in ("params", "macs", "status")] for one in (old, new)]
            if was == now and figures[0] == figures[1]:
                same += 1
            else:
                lines.append(f"{entry['name']} {route}: {was} -> {now}; {figures[0]} -> {figures[1]}")
    return [f"{same} as before, {len(lines)} changed", *lines]


if __name__ == "__main__":
    main()
