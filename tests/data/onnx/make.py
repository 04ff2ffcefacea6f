"""Makes the models beside this file: networks of torchvision, written by both of PyTorch's exporters, weights left out.

Run by hand, in an environment with torch, torchvision, onnx and onnxscript; the files are kept so that tests need none
of them. Of each weight its shape stays; names, operators, attributes and small constants are what the exporter wrote.
"""

import sys
import tempfile
import warnings
from math import prod
from pathlib import Path

import onnx
import torch
import torchvision

HERE = Path(__file__).parent
FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE, onnx.TensorProto.BFLOAT16)
KEPT = "pkg.torch.onnx.name_scopes"


class Tagger(torch.nn.Module):
    """Embedding, two layers of bidirectional LSTM, linear."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(1000, 64)
        self.lstm = torch.nn.LSTM(64, 128, 2, batch_first=True, bidirectional=True)
        self.head = torch.nn.Linear(256, 10)

    def forward(self, x):
        return self.head(self.lstm(self.embedding(x))[0][:, -1])


class Language(torch.nn.Module):
    """A small transformer whose output uses the weights of its embedding."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(1000, 64)
        self.layers = torch.nn.ModuleList(
            torch.nn.TransformerEncoderLayer(64, 4, 256, batch_first=True, norm_first=True) for _ in range(3)
        )
        self.head = torch.nn.Linear(64, 1000, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x):
        x = self.embedding(x)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


def classifier(name, size=224, **options):
    return getattr(torchvision.models, name)(weights=None, **options), torch.zeros(1, 3, size, size)


def segmenter(name):
    return getattr(torchvision.models.segmentation, name)(weights=None, weights_backbone=None), torch.zeros(
        1, 3, 224, 224
    )


TOKENS = torch.zeros(1, 16, dtype=torch.long)
TRACED = {
    "alexnet": lambda: classifier("alexnet"),
    "convnext_tiny": lambda: classifier("convnext_tiny"),
    "deeplabv3_resnet50": lambda: segmenter("deeplabv3_resnet50"),
    "densenet121": lambda: classifier("densenet121"),
    "efficientnet_b0": lambda: classifier("efficientnet_b0"),
    "googlenet": lambda: classifier("googlenet", init_weights=False),
    "inception_v3": lambda: classifier("inception_v3", 299, init_weights=False),
    "mobilenet_v2": lambda: classifier("mobilenet_v2"),
    "resnet50": lambda: classifier("resnet50"),
    "squeezenet1_1": lambda: classifier("squeezenet1_1"),
    "shufflenet_v2_x1_0": lambda: classifier("shufflenet_v2_x1_0"),
    "tagger": lambda: (Tagger(), TOKENS),
    "vit_b_16": lambda: classifier("vit_b_16"),
}
FREE = {"mobilenet_v3_small": lambda: classifier("mobilenet_v3_small"), "resnet18": lambda: classifier("resnet18")}
TRAINING = {"resnet34": lambda: classifier("resnet34"), "mnasnet1_0": lambda: classifier("mnasnet1_0")}
DYNAMO = {
    "efficientnet_b0": lambda: classifier("efficientnet_b0"),
    "language": lambda: (Language(), TOKENS),
    "mobilenet_v3_large": lambda: classifier("mobilenet_v3_large"),
    "regnet_y_400mf": lambda: classifier("regnet_y_400mf"),
    "resnet50": lambda: classifier("resnet50"),
    "swin_t": lambda: classifier("swin_t"),
}


def export(module, example, path, how):
    """Write a model with one of the exporters, all of its learned values different, so that none are merged."""
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    for name, buffer in module.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            torch.nn.init.uniform_(buffer, 0.5, 1.5)
    module.eval()
    if how == "dynamo":
        torch.onnx.export(module, (example,), path, dynamo=True, verbose=False)
        return
    options = {"opset_version": 17}
    if how == "free":
        axes = {"x": {0: "N", 2: "H", 3: "W"}}
        options = {"opset_version": 13, "input_names": ["x"], "dynamic_axes": axes}
    elif how == "training":
        mode = torch.onnx.TrainingMode.PRESERVE
        options = {"opset_version": 11, "do_constant_folding": False, "training": mode}
    torch.onnx.export(module, (example,), path, dynamo=False, **options)


def strip(tensor):
    if prod(tensor.dims) > 64 and tensor.data_type in FLOATS:
        for field in ("raw_data", "float_data", "double_data", "int32_data", "data_location"):
            tensor.ClearField(field)
        del tensor.external_data[:]


def write(path, target):
    """The model without its weights, and without what only debuggers read."""
    model = onnx.load(path)
    del model.graph.value_info[:]
    for tensor in model.graph.initializer:
        strip(tensor)
    for node in model.graph.node:
        node.ClearField("doc_string")
        kept = [(entry.key, entry.value) for entry in node.metadata_props if entry.key == KEPT]
        del node.metadata_props[:]
        for key, value in kept:
            node.metadata_props.add(key=key, value=value)
        for attribute in node.attribute:
            if attribute.HasField("t"):
                strip(attribute.t)
    for entry in (*model.graph.initializer, *model.graph.input, *model.graph.output):
        entry.ClearField("doc_string")
        del entry.metadata_props[:]
    target.write_bytes(model.SerializeToString())


def main():
    warnings.filterwarnings("ignore")
    wanted = sys.argv[1:]
    for how, models in (("traced", TRACED), ("free", FREE), ("training", TRAINING), ("dynamo", DYNAMO)):
        for name, make in models.items():
            if wanted and name not in wanted:
                continue
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model.onnx"
                export(*make(), path, how)
                write(path, HERE / f"{name}.{how}.onnx")
            print(name, how, flush=True)


if __name__ == "__main__":
    main()
