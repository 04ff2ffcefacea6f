"""Names that come from files, from the command line to every export and format: text, or refused in plain words."""

import json
from importlib import import_module

import pytest
from helpers.hostile import TEXTS
from onnx import TensorProto, helper

import convcalc.exporters
import convcalc.formats
from convcalc.cli import BAD, BUG, run
from convcalc.discovery import modules
from convcalc.exporters.code.own_code import require_own_code

LANGUAGES = [name for name in modules(convcalc.exporters.__file__, "", "writer.py") if name not in ("onnx", "yaml")]
FORMATS = [name for name in modules(convcalc.formats.__file__) if name != "parquet"]
TEXT = pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))


def onnx_model(text, is_known=True):
    """The bytes of a model in which every name is the text, where they need not differ."""
    text = text[:200].encode("utf-8", "backslashreplace").decode()  # the importer cuts longer ones

    def named(name):
        return f"{text}{name}" if name else text or "x"

    nodes = [
        helper.make_node("Conv", [named(""), named("w")], [named("1")], name=text),
        helper.make_node("Relu", [named("1")], [named("2")], name=f"{text}/b"),
        helper.make_node("MaxPool", [named("2")], [named("3")], name=f"/{text}/c/d", kernel_shape=[2, 2]),
    ]
    if not is_known:
        nodes.append(helper.make_node(text or "x", [named("3")], [named("4")], name=text, domain=text))
    for node in nodes:
        node.doc_string = text
        for key in ("pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy", "namespace", text):
            node.metadata_props.add(key=key, value=repr([text, f"{text}.a"]) if "torch" in key else text)
    graph = helper.make_graph(
        nodes,
        text,
        [helper.make_tensor_value_info(named(""), TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info(named("3" if is_known else "4"), TensorProto.FLOAT, None)],
        [helper.make_tensor(named("w"), TensorProto.FLOAT, [4, 3, 1, 1], bytes(48), raw=True)],
        doc_string=text,
    )
    opsets = [helper.make_opsetid("", 17), *([] if is_known else [helper.make_opsetid(text, 1)])]
    model = helper.make_model(graph, opset_imports=opsets, producer_name=text, producer_version=text, domain=text)
    model.metadata_props.add(key=text, value=text)
    return model.SerializeToString()


def printed(capsys, *arguments):
    """The exit code and the data of a command, whose every line can be printed; it is no bug of ours."""
    code = run([*arguments])
    out, err = capsys.readouterr()
    assert code != BUG, err
    assert all(line.isprintable() for line in f"{out}\n{err}".split("\n")), (out, err)
    assert out.splitlines() == out.split("\n")[: len(out.splitlines())]
    out.encode()
    return code, out, err


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_of_a_model_are_text_in_every_export(language, tmp_path, capsys):
    path = tmp_path / "model.onnx"
    for text in TEXTS:
        path.write_bytes(onnx_model(text))
        code, out, err = printed(capsys, "export", str(path), "--to", language)
        assert code == 0, (text, err)
        if language in ("torch", "keras"):
            compile(out, language, "exec")
            require_own_code(out, import_module(f"convcalc.exporters.{language}.vocabulary").VOCABULARY)
        path.write_bytes(onnx_model(text, is_known=False))
        code, out, err = printed(capsys, "export", str(path), "--to", language)
        assert code in (0, BAD)


@TEXT
def test_names_of_a_model_are_text_in_every_report(text, tmp_path, capsys):
    path = tmp_path / "model.onnx"
    for is_known in (True, False):
        path.write_bytes(onnx_model(text, is_known))
        for form in FORMATS:
            code, out, err = printed(capsys, "params", str(path), "-f", form)
            assert code == 0, err
            if form == "json":
                json.loads(out)
        for command in (["import"], ["explain"], ["check", "--max-params", "1"], ["params", "--strict"]):
            printed(capsys, command[0], str(path), *command[1:])
        code, out, err = printed(capsys, "import", str(path))
        assert code == 0, err
        (tmp_path / "again.yaml").write_text(out)
        assert printed(capsys, "params", str(tmp_path / "again.yaml"))[0] == 0


def test_a_model_whose_input_is_a_program_is_only_a_model(tmp_path, capsys):
    pytest.importorskip("onnxscript")
    mark = tmp_path / "EXEC"
    for text in (f'x"""\nopen({str(mark)!r}, "a").write("ran")\n"""', f"x\nopen({str(mark)!r}, 'a').write('ran')"):
        (tmp_path / "model.onnx").write_bytes(onnx_model(text))
        assert printed(capsys, "verify", str(tmp_path / "model.onnx"))[0] == 0
        assert run(["export", str(tmp_path / "model.onnx"), "--to", "onnx", "-o", str(tmp_path / "out.onnx")]) == 0
        assert run(["params", str(tmp_path / "out.onnx")]) == 0
    assert not mark.exists()


SPEC = """
name: TEXT
source: TEXT
notes: TEXT
vars: {width: {default: 3, about: TEXT}}
input: 3x8x8
layers: [conv: {filters: 4, kernel: 1}, relu]
budget: {params: {at_most: 1, message: TEXT}}
"""
PLACES = [
    "layers: [conv: {name: TEXT, filters: 4, kernel: 1}]",
    "layers: [TEXT]",
    "layers: [conv: {TEXT: 4}]",
    "layers: [conv: {filters: TEXT, kernel: 1}]",
    "layers: [conv: {filters: 4, kernel: 1}, relu: {from: TEXT}]",
    "vars: {TEXT: 1}\nlayers: [relu]",
    "variants: {TEXT: {}}\nlayers: [relu]",
    "blocks: {TEXT: {layers: [relu]}}\nlayers: [TEXT]",
    "blocks: {a: {args: [TEXT], layers: [relu]}}\nlayers: [a]",
    "include: TEXT\nlayers: [relu]",
    "layers: [opaque: {operator: TEXT, shape: [3]}]",
    "TEXT: 1\nlayers: [relu]",
    "expect: {TEXT: 1}\nlayers: [relu]",
    "budget: {TEXT: 1}\nlayers: [relu]",
    "budget: {layers: {TEXT: {params: 1}}}\nlayers: [relu]",
]


@TEXT
def test_texts_of_a_spec_are_text_or_refused(text, tmp_path, capsys):
    path = tmp_path / "net.yaml"
    quoted = json.dumps(text.encode("utf-8", "backslashreplace").decode())
    path.write_text(SPEC.replace("TEXT", quoted), "utf-8")
    for form in FORMATS:
        printed(capsys, "check", str(path), "-f", form)
    for language in LANGUAGES:
        printed(capsys, "export", str(path), "--to", language)
    for place in PLACES:
        path.write_text(f"input: 3x8x8\n{place.replace('TEXT', quoted)}\n", "utf-8")
        printed(capsys, "check", str(path), "-f", "json", "--max-params", "1")
        printed(capsys, "export", str(path), "--to", "torch")
    for word in (f"--set={text}=1", f"--variant={text}", f"--input={text}", f"--max-params={text}", f"--base={text}"):
        printed(capsys, "check", str(path), word)


@TEXT
def test_names_of_files_are_text(text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    name = text.replace("\0", "").replace("/", "_").replace("\ud800", "\udc80")[:100] + ".yaml"
    (tmp_path / name).write_text("input: 3x8x8\nlayers: [conv: {filters: 4, kernel: 1}]\nbudget: {params: 1}\n")
    (tmp_path / ".git").mkdir()
    for form in FORMATS:
        printed(capsys, "check", "-f", form, "--", name)
    (tmp_path / "convcalc.yaml").write_text("specs: ['*.yaml', '.*.yaml']\n")
    printed(capsys, "check")
    (tmp_path / name).write_text("input: 3x8x8\nlayers: [nosuch]\n")
    for command in ("check", "params", "export", "import"):
        more = ["--to", "torch"] if command == "export" else []
        assert printed(capsys, command, *more, "--", name)[0] == BAD
    (tmp_path / name).rename(tmp_path / f"{name}.onnx")
    for command in ("check", "params", "export", "import"):
        more = ["--to", "torch"] if command == "export" else []
        assert printed(capsys, command, *more, "--", f"{name}.onnx")[0] == BAD
