"""A meta-gradient written down as a list of tensor operations, and replayed without what stands around each of them.

Deriving, mapping over tasks and finding out what an operation is called with take Python and autograd longer than a
small network takes to compute. The list has none of that: every operation is called by its shortest way, views that
build on one another are one view, and what nobody uses is gone. The operations themselves are the same, in the same
order, so that the numbers are the same to the last bit.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, fx
from torch.utils import _pytree as pytree

Run = Callable[[list[Tensor]], list[Tensor]]
Path = tuple[str, ...]
"""Names that lead from torch to one of its functions."""

_VIEW: Path = ("as_strided",)
_FUNCTION = "run"


@dataclass(frozen=True)
class Script:
    """A list of operations, which another process may be sent.

    Attributes:
        source: A function of the tensors in Python, an operation a line.
        operations: What it calls, by the name in it.
        constants: Everything else that it names.
    """

    source: str
    operations: dict[str, Path]
    constants: dict[str, Any]

    def run(self) -> Run:
        """What replays it."""
        names = {name: _found(path) for name, path in self.operations.items()} | self.constants
        exec(compile(self.source, "<script>", "exec"), names)  # noqa: S102 - written by `script`
        replay = names[_FUNCTION]

        def run(tensors: list[Tensor]) -> list[Tensor]:
            with _below_autograd():
                return cast("list[Tensor]", replay(*tensors))

        return run


def _below_autograd() -> AbstractContextManager[Any]:
    """Where operations do not look whether they are to be differentiated; a torch without it looks and does not."""
    below = getattr(torch._C, "_AutoDispatchBelowAutograd", None)
    return cast("AbstractContextManager[Any]", below()) if below else torch.no_grad()


def script(graph: fx.GraphModule, tensors: list[Tensor]) -> Script:
    """Write down what a graph of tensor operations does.

    Args:
        graph: Its operations are torch's own, as `torch.fx.experimental.proxy_tensor.make_fx` gives them.
        tensors: What it is given. Tensors of other sizes need a script of their own.
    """
    with torch.no_grad():
        lines, outputs = _Reader(graph).lines(tensors)
    return _Writer().written([one.name for one in graph.graph.nodes if one.op == "placeholder"],
                             list(_wanted(lines, outputs)), outputs)


class _Line(NamedTuple):
    """An operation or a constant; the arguments name nodes where earlier results go."""

    node: fx.Node
    path: Path
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    changes: bool = False
    """Whether it writes into one of its arguments."""

    @property
    def uses(self) -> list[fx.Node]:
        """The earlier results."""
        return [one for one in _leaves((self.arguments, self.options)) if isinstance(one, fx.Node)]


class _Place(NamedTuple):
    """How the numbers of a tensor lie in memory; equal places in one memory are the same numbers."""

    read_as: tuple[Any, ...]
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int

    @classmethod
    def of(cls, value: Tensor) -> _Place:
        return cls((value.dtype, value.is_neg(), value.is_conj()), tuple(value.shape), value.stride(),
                   int(value.storage_offset()))


class _Reader:
    """Runs a graph once, and finds the shortest way to do each thing that it does."""

    def __init__(self, graph: fx.GraphModule) -> None:
        self._graph = graph
        self._values: dict[fx.Node, Any] = {}
        # What a view is of, through all views between the two, and how that lies.
        self._roots: dict[fx.Node, tuple[fx.Node, _Place]] = {}
        # Nodes that are another one under a further name.
        self._same: dict[fx.Node, fx.Node] = {}
        self._paths: dict[Any, Path] = {}
        # Memories of what the function is given, which may lie anywhere in them.
        self._given: set[int] = set()

    def lines(self, tensors: list[Tensor]) -> tuple[list[_Line], list[fx.Node]]:
        """Its operations, and those whose results it gives."""
        nodes = list(self._graph.graph.nodes)
        last = {used: node for node in nodes for used in node.all_input_nodes}
        given, lines = iter(tensors), []
        for node in nodes[:-1]:
            if node.op in ("placeholder", "get_attr"):
                value = next(given) if node.op == "placeholder" else getattr(self._graph, node.target)
                self._given.add(value.untyped_storage()._cdata)
                self._put(node, value)
                if node.op == "get_attr":
                    lines.append(_Line(node, (), (value,), {}))
            elif line := self._line(node):
                lines.append(line)
            for one in [*node.all_input_nodes, node]:
                if last.get(one, node) is node:
                    self._values.pop(one, None)
        return lines, [self._same.get(one, one) for one in nodes[-1].args[0]]

    def _put(self, node: fx.Node, value: Any) -> None:
        self._values[node] = value
        if isinstance(value, Tensor):
            self._roots[node] = node, _Place.of(value)

    def _line(self, node: fx.Node) -> _Line | None:
        """What a node does; nothing where it does nothing."""
        arguments, options = fx.node.map_arg((node.args, node.kwargs), self._values.__getitem__)
        value = cast("Any", node.target)(*arguments, **options)
        said = fx.node.map_arg((node.args, node.kwargs), lambda one: self._same.get(one, one))
        if node.target is operator.getitem:
            self._put(node, value)
            return _Line(node, (), *said)
        changes = bool(cast("Any", node.target)._schema.is_mutable)
        if not changes and isinstance(value, Tensor):
            for used in node.all_input_nodes:
                if used in self._roots and _share(value, self._values[used]):
                    return self._view(node, value, *self._roots[used], said)
        self._put(node, value)
        path = _own(node.target) if changes else self._path(node.target, arguments, options, value)
        return _Line(node, path, *said, changes)

    def _view(self, node: fx.Node, value: Tensor, root: fx.Node, at: _Place, said: tuple[Any, Any]) -> _Line | None:
        """A view of what has numbers of its own, less all views between the two; nothing where it is all of that."""
        place = _Place.of(value)
        begins_within = place.offset != at.offset
        if place.read_as != at.read_as or (begins_within and value.untyped_storage()._cdata in self._given):
            self._put(node, value)
            return _Line(node, _own(node.target), *said)
        self._values[node] = value
        self._roots[node] = root, at
        if place == at:
            self._same[node] = root
            return None
        return _Line(node, _VIEW, (root, place.shape, place.stride, *([place.offset] if begins_within else [])), {})

    def _path(self, target: Any, arguments: Any, options: Any, wanted: Any) -> Path:
        """The shortest way to an operation that gives just what it gives itself."""
        own = _own(target)
        for path in (self._paths.get(target), *_shorter(own[2])):
            if path and _gives(path, arguments, options, wanted):
                self._paths[target] = path
                return path
        return own


def _own(target: Any) -> Path:
    """The way to an operation as a graph names it."""
    namespace, _, name = target._schema.name.partition("::")
    return "ops", namespace, name, target._overloadname


def _shorter(name: str) -> Iterator[Path]:
    """Where Python's own way to an operation may be, which takes half as long."""
    yield (name,)
    yield "_C", "_nn", name
    yield "Tensor", name


def _found(path: Path) -> Any:
    return reduce(getattr, path, torch)


def _gives(path: Path, arguments: Any, options: Any, wanted: Any) -> bool:
    """Whether a function gives the same tensors, which lie in memory in the same way."""
    try:
        found = _leaves(_found(path)(*arguments, **options))
    except (AttributeError, TypeError, RuntimeError, ValueError):
        return False
    others = _leaves(wanted)
    return len(found) == len(others) and all(map(_alike, found, others))


def _alike(one: Any, other: Any) -> bool:
    if not (isinstance(one, Tensor) and isinstance(other, Tensor)):
        return one is other
    return (_Place.of(one) == _Place.of(other) and one.device == other.device and torch.equal(one, other))


def _share(one: Tensor, other: Any) -> bool:
    return isinstance(other, Tensor) and one.untyped_storage()._cdata == other.untyped_storage()._cdata


def _leaves(tree: Any) -> list[Any]:
    return pytree.tree_leaves(tree)


def _wanted(lines: list[_Line], outputs: list[fx.Node]) -> Iterator[_Line]:
    """The lines that something comes of."""
    used, kept = set(outputs), []
    for line in reversed(lines):
        if line.changes or line.node in used:
            used.update(line.uses)
            kept.append(line)
    yield from reversed(kept)


class _Writer:
    """Writes lines as Python."""

    def __init__(self) -> None:
        self._operations: dict[Path, str] = {}
        self._constants: dict[str, Any] = {}

    def written(self, given: list[str], lines: list[_Line], outputs: list[fx.Node]) -> Script:
        """A function from what is given to the outputs; every result is forgotten after its last use."""
        last = {used: line.node for line in lines for used in line.uses}
        kept = set(outputs)
        said = [f"def {_FUNCTION}({', '.join(given)}):"]
        for line in lines:
            if line.path or line.node.op == "call_function":
                done = [used.name for used in dict.fromkeys(line.uses)
                        if last[used] is line.node and used not in kept and used.op != "get_attr"]
                said.append(f"    {line.node.name} = {self._call(line)}"
                            + (f"; {' = '.join(done)} = None" if done else ""))
            else:
                self._constants[line.node.name] = line.arguments[0]
        said.append(f"    return [{', '.join(one.name for one in outputs)}]")
        return Script("\n".join(said), {name: path for path, name in self._operations.items()}, self._constants)

    def _call(self, line: _Line) -> str:
        words = [self._text(one) for one in line.arguments]
        if not line.path:
            return f"{words[0]}[{words[1]}]"
        words += [f"{name}={self._text(value)}" for name, value in line.options.items()]
        operation = self._operations.setdefault(line.path, f"operation{len(self._operations)}")
        return f"{operation}({', '.join(words)})"

    def _text(self, value: Any) -> str:
        if isinstance(value, fx.Node):
            return value.name
        if isinstance(value, tuple | list):
            inside = "".join(f"{self._text(one)}, " for one in value)
            return f"({inside})" if isinstance(value, tuple) else f"[{inside}]"
        is_plain = value is None or isinstance(value, bool | int | str)
        if is_plain or (isinstance(value, float) and math.isfinite(value)):
            return repr(value)
        name = f"constant{len(self._constants)}"
        self._constants[name] = value
        return name
