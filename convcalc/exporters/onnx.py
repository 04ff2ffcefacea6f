"""The network as an ONNX file: the text of `export --to torch`, made in PyTorch and written by its own exporter.

Weights are as PyTorch draws them at first, from a fixed seed.
"""

from __future__ import annotations

from importlib import import_module

from convcalc.analysis.count import Count
from convcalc.errors import SpecError, printable
from convcalc.exporters.code.own_code import run
from convcalc.exporters.code.units import is_of_tokens
from convcalc.exporters.torch.vocabulary import VOCABULARY
from convcalc.exporters.torch.writer import TorchWriter
from convcalc.optional import first_line_of, need, quiet

MOST = 2**31 - 2**20  # bytes of one file: what a protobuf can hold, less some for the graph
PER_PARAMETER = 4


def write(counted: Count, depth: int | None) -> bytes:
    """The bytes of the file. Raises SpecError for layers that PyTorch or its exporter does not have."""
    size = PER_PARAMETER * (counted.figure("params") + counted.figure("buffers"))
    if size > MOST:
        raise SpecError(
            f"the weights are {size:,} bytes, one ONNX file holds {MOST:,}", "export --to torch has no limit"
        )
    need("onnxscript", "writing ONNX")
    torch = need("torch", "writing ONNX")
    graph = counted.graph
    writer = TorchWriter(graph)
    written = run(writer.file(counted), VOCABULARY)
    torch.manual_seed(0)
    module = written[writer.name]().eval()
    inputs = tuple(
        torch.zeros(graph.batch, *shape, dtype=torch.int64 if is_of_tokens(graph, name) else torch.float32)
        for name, shape in graph.inputs.items()
    )
    learned = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    used: set[str] = set()
    inputs_named = [_name(path, used) for path in graph.inputs]
    paths = [layer.path for layer in graph.ends for _ in layer.outputs]
    outputs_named = [_name(path, used) for path in paths] if len(set(paths)) == len(paths) else []
    try:
        with quiet(), torch.no_grad():
            found = torch.onnx.export(
                module,
                inputs,
                dynamo=True,
                optimize=False,
                verbose=False,
                input_names=inputs_named,
                output_names=outputs_named,
            )
            # what the exporter computes with sizes is worked out; norms and what is learned stay as they are
            optimizer = import_module("onnxscript.optimizer")
            optimizer.fold_constants(
                found.model,
                should_fold=lambda node: (
                    False if any(one is not None and one.name in learned for one in node.inputs) else None
                ),
            )
            optimizer.remove_unused_nodes(found.model)
    except Exception as error:
        raise SpecError(
            f"PyTorch cannot write the network as ONNX: {first_line_of(error.__cause__ or error)}"
        ) from None
    for value in list(found.model.graph.initializers.values()):
        if value.name not in learned and not value.name.startswith("val_") and "running_" not in value.name:
            value.name = f"lifted_{value.name}"  # what the exporter calls a constant that was never learned
    found.model.graph.name = printable(graph.name)
    found.model.producer_name = "convcalc"
    return bytes(import_module("onnx_ir").to_proto(found.model).SerializeToString())


def _name(text: str, used: set[str]) -> str:
    """The name of a value: it can be printed, is not empty, and is not in `used`, to which it is added."""
    name = printable(text) or "x"
    while name in used:
        name += "_"
    used.add(name)
    return name
