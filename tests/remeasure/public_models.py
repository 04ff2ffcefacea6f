"""Measure convcalc over public models whose params and MACs are known; run by hand.

    python tests/remeasure/public_models.py TRUTH.json --route module --json now.json
    python tests/remeasure/public_models.py TRUTH.json --group timm --against before.json
    python tests/remeasure/public_models.py TRUTH.json --show before.json --route module onnx
    python tests/remeasure/public_models.py TRUTH.json --only hf__bert hf__detr --route onnx onnx_older

TRUTH.json is a list of models: how each is constructed, its inputs, its right figures. It needs the packages that the
models come from (torch, torchvision, timm, transformers, pytorchcv, segmentation-models-pytorch, monai, diffusers,
ultralytics, efficientnet_pytorch, scipy) beside onnx and onnxscript; nothing is downloaded. Each model runs in a
process of its own, made by a fork, with limits of time and memory. Routes: the module, a file of PyTorch's exporter,
a file of the older one.

What the verdicts mean stands in `public_verdict.py`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(Path(__file__).parent))

from public_verdict import FOLDED, VERDICTS, Found, Verdict, verdict  # noqa: E402

ROUTES = ("module", "onnx", "onnx_older")
USUAL = ("1 MAC", "input ", "depth ", "outputs: ")  # how notes begin that every report has
# MACs of operators for which PyTorch's counter has no formula: a model -> how many more are right
UNSEEN = {"diff__VQModel": 1024 * 16 * (3 + 2)}  # cdist, which PyTorch computes as a product of vectors of c + 2


def main() -> None:
    """Measure, print the table and what is not exact."""
    options = arguments()
    entries = [
        entry
        for entry in json.loads(options.truth.read_text())
        if (not options.group or entry["group"] in options.group)
        and (not options.only or any(fnmatch(entry["name"], pattern) for pattern in options.only))
    ]
    for entry in entries:
        if entry["name"] in UNSEEN:
            entry["truth"]["macs_with_unseen"] = entry["truth"]["macs"] + UNSEEN[entry["name"]]
    results: dict[str, dict[str, Any]] = {}
    if options.show:
        results = earlier(options.show)
    elif options.resume and options.json and options.json.is_file():
        results = earlier(options.json)
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    if not options.show:
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
    parser.add_argument("--only", nargs="+", default=[], help="models by name, or by a pattern such as hf__bert*")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=600, help="seconds for a model and all its routes")
    parser.add_argument("--memory", type=float, default=8, help="GB for a process")
    parser.add_argument("--tree", type=Path, default=ROOT, help="the tree whose convcalc is measured")
    parser.add_argument("--keep", type=Path, help="a folder for small exported files, read from it when run again")
    parser.add_argument("--json", type=Path, help="where the results are written, after each model")
    parser.add_argument("--resume", action="store_true", help="measure only what the file of --json has not")
    parser.add_argument("--show", type=Path, help="measure nothing: print these results, or those of a truth file")
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
            return " ".join(str(found[reason]).split())[:300]
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
    parts += [f"note: {note[:200]}" for note in found.get("notes", ()) if not note.startswith(USUAL)]
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
