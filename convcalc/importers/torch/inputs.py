"""What a module is called with: tensors made from shapes, and the same call with a batch of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from convcalc.errors import SpecError
from convcalc.language.input_shapes import Given


class Call(NamedTuple):
    """The arguments of a module. `batch` is the axis that is the batch of every tensor, by its place; None unknown."""

    positional: tuple[Any, ...]
    named: dict[str, Any]
    batch: Sequence[int | None] = ()

    def tensors(self, torch: Any) -> list[Any]:
        """Return the tensors in the order in which the exporter lists the inputs."""
        leaves = torch.utils._pytree.tree_leaves((self.positional, self.named))
        return [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]


def call_of(example: Any) -> Call:
    """Return the call that an example stands for: a tensor, a tuple of arguments, or a mapping of named ones."""
    if isinstance(example, Mapping):
        return Call((), dict(example))
    return Call(tuple(example) if isinstance(example, (tuple, list)) else (example,), {})


def calls(torch: Any, module: Any, given: Sequence[Given]) -> Iterator[Call]:
    """Yield the calls that shapes may mean, the likeliest first.

    A shape is without the batch, or else with it; an input without a dtype is of the module's, or else whole numbers
    where the module has an embedding.
    """
    dtypes = [_floating(torch, module), *([torch.int64] if has_embedding(module) else [])]
    may_have_batch = all(one.batch is None and len(one.sizes) > 1 for one in given)
    for has_batch in (False, True) if may_have_batch else (False,):
        for dtype in dtypes if any(not one.dtype for one in given) else dtypes[:1]:
            yield _call(torch, module, given, dtype, has_batch)


def _call(torch: Any, module: Any, given: Sequence[Given], dtype: Any, has_batch: bool) -> Call:
    device = device_of(module)
    positional: list[Any] = []
    named: dict[str, Any] = {}
    axes: dict[int, int | None] = {}  # by the identity of a tensor
    for one in given:
        axis = None if has_batch else one.batch or 0
        shape = one.sizes if axis is None else (*one.sizes[:axis], 1, *one.sizes[axis:])
        kind = getattr(torch, one.dtype) if one.dtype else dtype
        tensor = torch.empty(shape, dtype=kind, device=device)
        axes[id(tensor)] = axis
        if one.name:
            _put(named, one.name.split("."), tensor)
        else:
            positional.append(tensor)
    call = Call(tuple(positional), {name: _with_lists(value) for name, value in named.items()})
    return call._replace(batch=[axes[id(tensor)] for tensor in call.tensors(torch)])


def _put(values: dict[str, Any], path: Sequence[str], tensor: Any) -> None:
    """Put a tensor at a path of nested mappings. Raises SpecError where two inputs are in the same place."""
    for part in path[:-1]:
        values = values.setdefault(part, {})
        if not isinstance(values, dict):
            raise SpecError(f"--input: '{part}' is an input and contains inputs", "name each input once")
    if path[-1] in values:
        raise SpecError(f"--input: '{'.'.join(path)}' is given twice", "name each input once")
    values[path[-1]] = tensor


def _with_lists(value: Any) -> Any:
    """Return a nested value where mappings with the keys 0, 1, 2 ... are lists."""
    if not isinstance(value, dict):
        return value
    inner = {key: _with_lists(entry) for key, entry in value.items()}
    if sorted(inner) == sorted(map(str, range(len(inner)))):
        return [inner[str(index)] for index in range(len(inner))]
    return inner


def with_batch_of_one(torch: Any, call: Call, axis: int, batch: int) -> Call:
    """Return the call with one input of a batch: the others, along `axis` of steps-first tensors, are left out."""
    axes: list[int | None] = []

    def cut(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        at = axis if value.dim() == 3 else 0
        is_in = value.dim() > at and value.shape[at] == batch
        axes.append(at if is_in else None)
        return value.narrow(at, 0, 1) if is_in else value

    positional, named = torch.utils._pytree.tree_map(cut, (call.positional, call.named))
    return Call(positional, named, axes)


def device_of(module: Any) -> Any:
    first = next(module.parameters(), None)
    return "cpu" if first is None else first.device


def _floating(torch: Any, module: Any) -> Any:
    """Return the dtype of a module's parameters, of which its inputs are."""
    return next((one.dtype for one in module.parameters() if one.dtype.is_floating_point), torch.float32)


def has_embedding(module: Any) -> bool:
    return any("Embedding" in type(part).__name__ for part in module.modules())
