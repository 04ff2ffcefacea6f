"""Work of a module whose result no output needs: PyTorch's ONNX writer would leave it out, and nobody would know of it.

torch.export keeps it. Its results become outputs after the module's own, so that they are written as well.
"""

from __future__ import annotations

from typing import Any, NamedTuple

# of operators with MACs: parts of their names
_PRODUCTS = ("conv", "linear", "matmul", "mm", "einsum", "attention", "lstm", "gru", "rnn", "dot", "cdist")


class Unneeded(NamedTuple):
    """The results that no output needs and a program keeps as its last outputs, by name, and the parameters they read.

    Where PyTorch's ONNX writer cannot write them `is_written` is false.
    """

    results: tuple[str, ...]
    parameters: frozenset[str]
    is_written: bool = True


def keep_unneeded(torch: Any, program: Any) -> Unneeded:
    """Let results of products and of parameters that no output needs be the last outputs of an exported program."""
    parameters = program.graph_signature.inputs_to_parameters
    needed = _needed(program.graph)
    made: list[Any] = []
    read: set[str] = set()
    for node in program.graph.nodes:
        if node.op != "call_function" or node in needed:
            continue
        own = {parameters[one.name] for one in node.all_input_nodes if one.name in parameters}
        read |= own
        if own or any(name in str(node.target) for name in _PRODUCTS):
            made += [one for one in (node, *node.users) if _is_tensor(torch, one) and one not in needed][:1]
    made = list(dict.fromkeys(made))
    if made:
        _put_outputs(torch, program, made)
    return Unneeded(tuple(node.name for node in made), frozenset(read))


def drop_unneeded(program: Any, results: int) -> None:
    """Take back what `keep_unneeded` has added."""
    output = program.graph.output_node()
    output.args = (output.args[0][:-results],)
    del program.graph_signature.output_specs[-results:]
    root = program.module_call_graph[0].signature
    del root.outputs[-results:]
    root.out_spec = root.out_spec.child(0) if hasattr(root.out_spec, "child") else root.out_spec.children_specs[0]
    program.graph.eliminate_dead_code()
    program.graph_module.recompile()


def _needed(graph: Any) -> set[Any]:
    """Return the nodes that the outputs of a graph depend on."""
    waiting: list[Any] = [graph.output_node()]
    needed: set[Any] = set()
    while waiting:
        node = waiting.pop()
        if node not in needed:
            needed.add(node)
            waiting.extend(node.all_input_nodes)
    return needed


def _is_tensor(torch: Any, node: Any) -> bool:
    return isinstance(node.meta.get("val"), torch.Tensor)


def _put_outputs(torch: Any, program: Any, made: list[Any]) -> None:
    """Add outputs to a program: to its graph, its signature, and the structure of what it returns."""
    signature, tree = torch.export.graph_signature, torch.utils._pytree
    output = program.graph.output_node()
    output.args = ((*output.args[0], *made),)
    arguments = [signature.TensorArgument(name=node.name) for node in made]
    kind = signature.OutputKind.USER_OUTPUT
    program.graph_signature.output_specs.extend(signature.OutputSpec(kind, argument, None) for argument in arguments)
    root = program.module_call_graph[0].signature
    own = tree.tree_unflatten([0] * root.out_spec.num_leaves, root.out_spec)
    root.out_spec = tree.tree_structure((own, *(0 for _ in made)))
    root.outputs.extend(arguments)
    program.graph_module.recompile()
