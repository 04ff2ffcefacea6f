"""Laws of code generation: every kind is written by a rule of its own, or refused with a reason."""

from importlib import import_module

import pytest
from helpers.networks import alone

from convcalc.analysis.count import count
from convcalc.cli import run
from convcalc.errors import SpecError
from convcalc.exporters.code.layer_code import CodeTable
from convcalc.exporters.keras.table import TABLE as KERAS
from convcalc.exporters.keras.writer import KerasWriter
from convcalc.exporters.torch.table import TABLE as TORCH
from convcalc.exporters.torch.verify import verify
from convcalc.exporters.torch.writer import TorchWriter
from convcalc.kinds import KINDS
from convcalc.kinds.conv import Conv
from convcalc.kinds.primitives import Opaque

TABLES = pytest.mark.parametrize("table", [TORCH, KERAS], ids=lambda table: table.framework)
WRITERS = pytest.mark.parametrize("writer", [TorchWriter, KerasWriter])


@TABLES
def test_every_kind_has_a_rule_or_a_reason(table):
    missing = [kind.name for kind in KINDS.values() if kind not in table.rules and kind not in table.without]
    folder = {"PyTorch": "torch", "Keras": "keras"}[table.framework]
    assert not missing, f"write a function for {missing} in exporters/{folder}/FAMILY.py, or a reason in its table.py"
    assert not set(table.rules) & set(table.without)
    assert set(table.rules) | set(table.without) <= set(KINDS.values())
    assert all(table.without.values())


@pytest.mark.parametrize("kind", [KINDS[name] for name in sorted(KINDS)], ids=lambda kind: kind.name)
@pytest.mark.parametrize(("table", "folder"), [(TORCH, "torch"), (KERAS, "keras")], ids=["torch", "keras"])
def test_a_rule_is_in_the_file_named_as_its_kinds(kind, table, folder):
    if kind in table.without:
        return
    rule = table.rules[kind]
    code = rule if folder == "torch" else rule.code
    assert code.__module__ == f"convcalc.exporters.{folder}.{kind.family}"


@WRITERS
def test_a_reason_is_shown(writer):
    with pytest.raises(SpecError, match="the operator NonMaxSuppression is not known"):
        writer(alone(Opaque(operator="NonMaxSuppression", shape=[3]), (3,)))


@pytest.fixture
def deformable(monkeypatch):
    """A kind made of another one, as a deformable convolution is of a plain one."""
    monkeypatch.setitem(KINDS, "deformable_conv", None)  # taken back at the end
    return type(
        "DeformableConv", (Conv,), {"__doc__": "A convolution that samples where offsets say."}, name="deformable_conv"
    )


@WRITERS
def test_a_kind_does_not_inherit_the_code_of_another(writer, deformable):
    framework = {TorchWriter: "PyTorch", KerasWriter: "Keras"}[writer]
    with pytest.raises(SpecError) as error:
        writer(alone(deformable(filters=8, kernel=3), (4, 9, 9)))
    (problem,) = error.value.problems
    assert problem.message.endswith(f"deformable_conv has no counterpart in {framework}")


def test_verify_refuses_a_kind_that_only_inherits(deformable):
    with pytest.raises(SpecError, match="deformable_conv has no counterpart in PyTorch"):
        verify(count(alone(deformable(filters=8, kernel=3), (4, 9, 9))))


@pytest.mark.parametrize("command", ["export --to torch", "export --to keras", "verify"])
def test_commands_refuse_a_kind_that_only_inherits(command, deformable, tmp_path, capsys):
    path = tmp_path / "net.yaml"
    path.write_text("input: 4x9x9\nlayers: [deformable_conv: {filters: 8, kernel: 3}]\n")
    assert run([*command.split(), str(path)]) == 2
    assert "deformable_conv has no counterpart in" in capsys.readouterr().err


def test_a_kind_is_entered_once():
    table = CodeTable("Flax")
    table.add([Conv], len)
    for kind in (Conv, Opaque):
        with pytest.raises(ValueError, match=f"{kind.name} is already in the table of Flax"):
            table.add([kind], len)


@pytest.mark.parametrize("name", ["torch", "keras", "onnx", "dot", "mermaid"])
def test_what_a_command_can_export_is_found(name):
    from convcalc.commands.export import command

    (languages,) = (option.type.choices for option in command.params if option.name == "language")
    assert name in languages
    assert callable(import_module(f"convcalc.exporters.{name}").write)
    assert not {"code", "yaml"} & set(languages)
