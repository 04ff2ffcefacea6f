"""Make one public model and count it through each route; `public_models.py` runs this in a process for each model.

What is found is written to the file that a request names, after every route, so that a route that takes too long
loses no other. The text of `construct` in the truth file is run as Python.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import gc
import importlib
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false"}
MOST_KEPT = 20_000_000  # bytes of an exported model that is kept
PACKAGES = {
    "diffusers": ["diffusers"],
    "monai": ["monai.networks.nets"],
    "others": ["efficientnet_pytorch"],
    "pytorchcv": ["pytorchcv.model_provider"],
    "smp": ["segmentation_models_pytorch"],
    "timm": ["timm"],
    "torchvision": ["torchvision.models"],
    "transformers": ["transformers", "transformers.modeling_utils"],
    "ultralytics": ["ultralytics.nn.tasks"],
}

# The names that `construct` uses for the sizes of the small Hugging Face models
ENCODER = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
IMAGES = {**ENCODER, "image_size": 64, "patch_size": 16}
SPEECH = {
    **ENCODER,
    "vocab_size": 20,
    "conv_dim": (16, 16, 16),
    "conv_kernel": (10, 3, 3),
    "conv_stride": (5, 2, 2),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
DETECTION = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
    "num_queries": 10,
}
REAL_TIME_DETECTION = {
    "d_model": 32,
    "encoder_hidden_dim": 32,
    "encoder_in_channels": [16, 32, 64],
    "encoder_layers": 1,
    "encoder_ffn_dim": 64,
    "encoder_attention_heads": 4,
    "decoder_in_channels": [32, 32, 32],
    "decoder_layers": 2,
    "decoder_ffn_dim": 64,
    "decoder_attention_heads": 4,
    "num_queries": 10,
}
ULTRALYTICS = {"pose": "PoseModel", "seg": "SegmentationModel", "cls": "ClassificationModel", "obb": "OBBModel"}


def warm(tree: str, groups: Iterable[str]) -> None:
    """Import what every model needs, so that a process made by a fork has it: a copy costs nothing."""
    os.environ.update(OFFLINE)
    sys.path.insert(0, tree)
    import torch

    torch.set_num_threads(1)
    import convcalc

    with torch.device("meta"):  # one export loads PyTorch's whole exporter
        convcalc.from_torch(torch.nn.Conv2d(1, 1, 1), torch.empty(1, 1, 2, 2))
    for group in groups:
        for package in PACKAGES.get(group, ()):
            with contextlib.suppress(ImportError):
                importlib.import_module(package)


def run(request: Mapping[str, Any]) -> None:
    """Measure what a request asks for, in a process of its own."""
    limit_memory(request["memory"])
    os.chdir(Path(request["into"]).parent)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    warnings.simplefilter("ignore")
    found: dict[str, Any] = {}
    for route in request["routes"]:
        began = time.perf_counter()
        try:
            found[route] = ROUTES[route](request["entry"], Path(request["keep"]) if request["keep"] else None)
        except Exception as error:  # the next route may still answer
            found[route] = {"not_built": told(error)}
        found[route]["seconds"] = round(time.perf_counter() - began, 1)
        Path(request["into"]).write_text(json.dumps(found))
        gc.collect()


def limit_memory(gigabytes: float) -> None:
    """Let this process allocate no more, where the system can hold it to that."""
    try:
        import resource
    except ImportError:
        return
    most = int(gigabytes * 1e9)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def told(error: BaseException) -> str:
    """An error on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:400]


# Making a model


def make(entry: Mapping[str, Any], device: str) -> Any:
    """The module of an entry in eval mode. Raises ValueError where it has not the parameters that the truth states."""
    import torch

    torch.manual_seed(0)
    with torch.device(device):
        module = constructed(entry).eval()
    params = sum(one.numel() for one in module.parameters())
    if params != entry["truth"]["params"]:
        raise ValueError(f"the module has {params:,} params, the truth file says {entry['truth']['params']:,}")
    return module


def constructed(entry: Mapping[str, Any]) -> Any:
    """What the text of `construct` makes: a call, or the name of a package and the arguments that it takes."""
    text = entry["construct"]
    if entry["group"] == "transformers":
        return hugging_face(text.partition(":")[2].strip())
    if entry["group"] == "others":
        return importlib.import_module("efficientnet_pytorch").EfficientNet.from_name("efficientnet-b0")
    if "{" not in text:
        package = text.partition("(")[0].rpartition(".")[0]
        importlib.import_module(package)
        root = package.partition(".")[0]
        return eval(text, {root: sys.modules[root]})
    head, _, rest = text.partition(": {")
    return MAKERS[head.partition(",")[0]](**ast.literal_eval("{" + rest))


def hugging_face(text: str) -> Any:
    """A small model of transformers: `R(name, class, config or function of the package that gives one, ...)`."""
    transformers = importlib.import_module("transformers")

    def small(name: str, cls: str, config: Any, sub: str = "", inputs: Any = None, **sizes: Any) -> Any:
        settings = config(transformers) if callable(config) else getattr(transformers, config)(**sizes)
        model = getattr(transformers, cls)(settings)
        return getattr(model, sub) if sub else model

    def residual(package: Any, stages: Any = ("stage2", "stage3", "stage4")) -> Any:
        sizes = {"embedding_size": 8, "hidden_sizes": [8, 16, 32, 64], "depths": [1, 1, 2, 1]}
        return package.ResNetConfig(**sizes, out_features=list(stages))

    names = {"R": small, "res": residual, "B": ENCODER, "TX": ENCODER, "T": {**ENCODER, "vocab_size": 100}}
    names |= {"V": IMAGES, "VI": IMAGES, "W": SPEECH, "DE": DETECTION, "RT": REAL_TIME_DETECTION}
    names |= {"TOK": None, "AU": None, "CL": None}  # inputs, which the entry states itself
    return eval(text, names)


def torchvision(fn: str, kw: Mapping[str, Any], modname: str) -> Any:
    """A network of torchvision."""
    return getattr(importlib.import_module(modname), fn)(**kw)


def detection_network(fn: str) -> Any:
    """The part of a detector of torchvision that has a fixed graph: its backbone and the head over all positions."""
    import torch

    detector = torchvision(fn, {"weights": None, "weights_backbone": None}, "torchvision.models.detection")

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = detector.backbone
            self.head = detector.rpn.head if hasattr(detector, "rpn") else detector.head

        def forward(self, image: Any) -> Any:
            return self.head(list(self.backbone(image).values()))

    return Network()


def ultralytics(cfg: str) -> Any:
    """A network of Ultralytics' configurations, its class by what it is for."""
    purpose = Path(cfg).stem.rpartition("-")[2]
    return getattr(importlib.import_module("ultralytics.nn.tasks"), ULTRALYTICS.get(purpose, "DetectionModel"))(
        cfg, verbose=False
    )


def by_class(package: str) -> Callable[..., Any]:
    """What makes the class of a package that is named."""
    return lambda cls, kw: getattr(importlib.import_module(package), cls)(**kw)


def segmentation(cls: str, enc: str, kw: Mapping[str, Any]) -> Any:
    """A network of segmentation-models-pytorch over an encoder without weights."""
    package = importlib.import_module("segmentation_models_pytorch")
    return getattr(package, cls)(encoder_name=enc, encoder_weights=None, **{"classes": 3, **kw})


MAKERS: dict[str, Callable[..., Any]] = {
    "tv": torchvision,
    "tvq": torchvision,
    "tvhead": detection_network,
    "ultralytics.nn.tasks": ultralytics,
    "segmentation_models_pytorch": segmentation,
    "monai.networks.nets": by_class("monai.networks.nets"),
    "diffusers": by_class("diffusers"),
}


def example(entry: Mapping[str, Any], device: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What the model is called with at batch 1: positional and named arguments."""
    import torch

    positional: list[Any] = []
    named: dict[str, Any] = {}
    for name, shape, kind in entry["inputs"]:
        size = (1, *shape)
        if kind == "f":
            value = torch.zeros(size, device=device) if device == "meta" else torch.rand(size)
        else:  # tokens, or the step of a diffusion model: small numbers, none of them reserved
            value = (torch.arange(torch.Size(size).numel(), device=device) % 7 + 3).reshape(size)
        if name:
            named[name] = value
        else:
            positional.append(value)
    if "modname': 'torchvision.models.detection" in entry["construct"]:  # it takes a list of images
        positional = [[image[0] for image in positional]]
    return tuple(positional), named


# Routes


def through_module(entry: Mapping[str, Any], _: Path | None) -> dict[str, Any]:
    """The module itself, without weights where it can be made so."""
    import convcalc

    device = entry["truth"].get("device", "cpu")
    module = make(entry, device)
    positional, named = example(entry, device)
    found = counted(lambda: convcalc.from_torch(module, named or positional))
    return {**found, "norm_params": norm_params(module)}


def through_file(is_newer: bool) -> Callable[[Mapping[str, Any], Path | None], dict[str, Any]]:
    """A file that one of PyTorch's exporters writes."""

    def route(entry: Mapping[str, Any], keep: Path | None) -> dict[str, Any]:
        import convcalc

        with tempfile.TemporaryDirectory(prefix="convcalc-remeasure-") as folder:
            name = f"{entry['name']}{'' if is_newer else '.older'}.onnx"
            path = keep / name if keep and (keep / name).is_file() else Path(folder) / name
            norms = None
            if not path.is_file():
                module = make(entry, "cpu")
                norms = norm_params(module)
                draw(module)
                export(module, example(entry, "cpu"), path, is_newer)
                del module
                gc.collect()
                written = [one for one in Path(folder).iterdir() if one.is_file()]
                if keep and sum(one.stat().st_size for one in written) <= MOST_KEPT:
                    for one in written:
                        (keep / one.name).write_bytes(one.read_bytes())
                    (keep / f"{name}.json").write_text(json.dumps({"norm_params": norms}))
            else:
                norms = json.loads((keep / f"{name}.json").read_text())["norm_params"] if keep else None
            return {**counted(lambda: convcalc.load(path)), "norm_params": norms}

    return route


def export(module: Any, inputs: tuple[tuple[Any, ...], dict[str, Any]], path: Path, is_newer: bool) -> None:
    """Write a file with PyTorch's exporter, or with the older one that follows one run."""
    import torch

    positional, named = inputs
    with torch.no_grad():
        torch.onnx.export(module, positional, str(path), kwargs=named, dynamo=is_newer, verbose=False)


def draw(module: Any) -> None:
    """Move every parameter a little, as training does: of tensors that are alike, such as zeros, a file has one."""
    import torch

    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.is_floating_point():
                parameter.add_(torch.randn_like(parameter), alpha=0.01)


def norm_params(module: Any) -> int:
    """The params of batch norms, which an exporter may fold into other layers."""
    return sum(
        one.numel() for part in module.modules() if "BatchNorm" in type(part).__name__ for one in part.parameters(False)
    )


def counted(read: Callable[[], Any]) -> dict[str, Any]:
    """What convcalc says of a graph: figures, whether they are a lower bound, notes, the balance; or its refusal."""
    import convcalc

    try:
        graph = read()
    except convcalc.SpecError as error:
        return {"refused": " ".join(str(error).split())[:400]}
    except Exception as error:
        return {"refused": f"crash: {told(error)}"}
    found = convcalc.count(graph)
    facts, notes = reported(found)
    note = graph.provenance.note
    notes += [note] if note and note not in notes else []
    return {
        "params": found.figure("params"),
        "macs": found.figure("macs"),
        "status": "lower_bound" if found.uncounted else "complete",
        "uncounted": sorted({str(getattr(layer.kind, "operator", layer.kind.name)) for layer in found.uncounted}),
        "notes": notes,
        "balance": [
            *named("balance", facts),
            *(plain(one.balance) for one in (graph, found) if hasattr(one, "balance")),
        ],
    }


def reported(found: Any) -> tuple[Any, list[str]]:
    """The facts and notes of the report that a command would write, plain enough for JSON."""
    for home in ("convcalc.tables.count", "convcalc.tables"):
        try:
            tables = importlib.import_module(home).count_tables(found, None, "layer", "", "")
        except (ImportError, AttributeError):
            continue
        facts = plain([table.facts for table in tables])
        return facts, [str(note) for table in tables for note in table.notes]
    return {}, []


def named(key: str, value: Any) -> Iterator[Any]:
    """All that lies under a name in nested values, plain enough for JSON."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name == key:
                yield plain(inner)
            else:
                yield from named(key, inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from named(key, inner)


def plain(value: Any) -> Any:
    """A value as JSON can hold it: objects as their fields, else as text.

    >>> from pathlib import PurePosixPath
    >>> plain({"left out": [range(2), PurePosixPath("a")]})
    {'left out': ['range(0, 2)', 'a']}
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if hasattr(value, "_fields"):
        return {name: plain(getattr(value, name)) for name in value._fields}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(inner) for inner in value]
    names = [field.name for field in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else []
    return {name: plain(getattr(value, name)) for name in names} or str(value)


ROUTES = {"module": through_module, "onnx": through_file(True), "onnx_older": through_file(False)}
