"""What a function of tensors does, written down as the shortest script that gives the same numbers.

Views that build on one another are one view, and none of a whole tensor is taken for what works number by number; what
nobody uses or reads is gone, and what is needed no more is written over.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, fx
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from workbench.engine.acceleration.replay import FORMATS, Line, Run, Script, Use, plain


def script(graph: fx.GraphModule, tensors: list[Tensor]) -> Script:
    """Write down what a graph of tensor operations does.

    Args:
        graph: Its operations are torch's own, as `torch.fx.experimental.proxy_tensor.make_fx` gives them.
        tensors: What it is given. Tensors of other sizes need a script of their own.

    Raises:
        ValueError: The interpreter takes something in another way than Python does.
    """
    reader = _Reader(graph)
    with torch.no_grad():
        steps, outputs = reader.steps(tensors)
    given = (node for node in graph.graph.nodes if node.op == "placeholder")
    numbers: dict[fx.Node, tuple[int, ...]] = {node: (number,) for number, node in enumerate(given)}
    count, lines = len(numbers), []
    steps = list(_wanted(steps, outputs))
    # What another stands in for is wanted no more.
    steps = list(_wanted(list(_stood_in(steps, reader.lies)), outputs))
    for step in _in_place(steps, outputs, reader.places, reader.whole):
        if step.target is operator.getitem:
            source, index = step.arguments
            numbers[step.node] = (numbers[source][index],)
            continue
        said = fx.node.map_arg(step.arguments, lambda node: cast("Any", Use(numbers[node][0])))
        lines.append(Line(_name(step.target) if step.target else ("", ""), said, step.results))
        numbers[step.node] = tuple(range(count, count + step.results))
        count += step.results
    return Script(len(tensors), tuple(lines), tuple(numbers[node][0] for node in outputs))


def recorded(function: Run, tensors: list[Tensor]) -> Script:
    """Write down what a function of tensors does, while it does it.

    Args:
        function: What it writes into is changed once more while the script is made.
        tensors: What it is given, and all that it writes into.

    Raises:
        ValueError: As for `script`; or it looks at a number of a tensor, or at a tensor that it was not given.
    """
    with _Recorder(tensors) as recorder:
        found = function(tensors)
    return script(recorder.graph_of(found), tensors)


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes every operation on tensors down as a node of a graph."""

    def __init__(self, tensors: list[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._graph = fx.Graph()
        # With the tensors, for what is gone may leave its number to another.
        self._nodes = {id(one): (self._graph.placeholder(f"given_{number}"), one) for number, one in enumerate(tensors)}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        said, named = pytree.tree_map_only(Tensor, self._node, (args, kwargs or {}))
        node = self._graph.call_function(func, said, named)
        if isinstance(found, Tensor):
            self._nodes[id(found)] = node, found
        elif isinstance(found, tuple | list):
            for place, one in enumerate(found):
                self._nodes[id(one)] = self._graph.call_function(operator.getitem, (node, place)), one
        elif found is not None:
            raise ValueError(f"{func} takes a number out of a tensor, which would be the same in every replay")
        return found

    def _node(self, value: Tensor) -> fx.Node:
        if id(value) not in self._nodes:
            raise ValueError("it works on a tensor that it was not given")
        return self._nodes[id(value)][0]

    def graph_of(self, found: list[Tensor]) -> fx.GraphModule:
        """What was done, with what came of it."""
        self._graph.output([self._node(one) for one in found])
        return fx.GraphModule(torch.nn.Module(), self._graph)


class _Step(NamedTuple):
    """What a node of a graph does, by nodes."""

    node: fx.Node
    target: Any
    """The operation; None for a constant, which is the one argument then."""
    arguments: tuple[Any, ...]
    results: int = 1
    changes: bool = False
    """Whether it writes into one of its arguments."""

    @property
    def uses(self) -> list[fx.Node]:
        """The earlier results that it takes."""
        return [one for one in pytree.tree_leaves(self.arguments) if isinstance(one, fx.Node)]


class _Place(NamedTuple):
    """How the numbers of a tensor lie in memory; equal places in one memory are the same numbers."""

    read_as: tuple[Any, ...]
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int

    @classmethod
    def of(cls, value: Tensor) -> _Place:
        return cls((value.dtype, value.device, value.is_neg(), value.is_conj()), tuple(value.shape), value.stride(),
                   int(value.storage_offset()))

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return math.prod(self.shape)

    @property
    def is_dense(self) -> bool:
        """Whether they lie one after another in memory, in whatever order."""
        expected = 1
        for step, size in sorted(zip(self.stride, self.shape, strict=True)):
            if size != 1 and step != expected:
                return False
            expected *= size
        return True

    def lies_as(self, other: _Place) -> bool:
        """Whether it has that shape and those strides, wherever it begins and whatever its numbers are."""
        return (self.shape, self.stride) == (other.shape, other.stride)


class _Reader:
    """Runs a graph once, and finds the shortest way to do each thing that it does.

    Attributes:
        lies: How every result lies in memory.
        places: The same of those that have, and fill, a memory of their own.
        whole: The same of views of such a one that begin where it does and have as many numbers.
    """

    def __init__(self, graph: fx.GraphModule) -> None:
        self._graph = graph
        self._values: dict[fx.Node, Any] = {}
        # What a view is of, through all views between the two, and how that lies.
        self._roots: dict[fx.Node, tuple[fx.Node, _Place]] = {}
        # Nodes that are another one under a further name.
        self._same: dict[fx.Node, fx.Node] = {}
        # Memories of what the function is given, which may lie anywhere in them.
        self._given: set[int] = set()
        self.lies: dict[fx.Node, _Place] = {}
        self.places: dict[fx.Node, _Place] = {}
        self.whole: dict[fx.Node, _Place] = {}
        # Which of several results lie in a memory of their own.
        self._alone: dict[fx.Node, set[int]] = {}
        # Has nodes for results that the graph has in another shape only.
        self._others = fx.Graph()

    def steps(self, tensors: list[Tensor]) -> tuple[list[_Step], list[fx.Node]]:
        """Its operations, and those whose results it gives."""
        nodes = list(self._graph.graph.nodes)
        last = {used: node for node in nodes for used in node.all_input_nodes}
        given, steps = iter(tensors), []
        for node in nodes[:-1]:
            if node.op in ("placeholder", "get_attr"):
                value = next(given) if node.op == "placeholder" else getattr(self._graph, node.target)
                self._given.add(value.untyped_storage()._cdata)
                self._put(node, value)
                if node.op == "get_attr":
                    steps.append(_Step(node, None, (value,)))
            else:
                steps.extend(self._steps(node))
            for one in [*node.all_input_nodes, node]:
                if last.get(one, node) is node:
                    self._values.pop(one, None)
        return steps, [self._same.get(one, one) for one in nodes[-1].args[0]]

    def _put(self, node: fx.Node, value: Any) -> None:
        self._values[node] = value
        if isinstance(value, Tensor):
            self.lies[node] = _Place.of(value)
            self._roots[node] = node, self.lies[node]

    def _steps(self, node: fx.Node) -> list[_Step]:
        """What a node does; nothing where it does nothing."""
        arguments, options = fx.node.map_arg((node.args, node.kwargs), self._values.__getitem__)
        target = cast("Any", node.target)
        value = target(*arguments, **options)
        said, named = fx.node.map_arg((node.args, node.kwargs), lambda one: self._same.get(one, one))
        if target is operator.getitem:
            self._put(node, value)
            if arguments[1] in self._alone.get(node.all_input_nodes[0], ()):
                self._note_place(node, value)
            return [_Step(node, target, said)]
        changes = bool(target._schema.is_mutable)
        own = _Step(node, target, _in_full(target, said, named),
                    len(value) if isinstance(value, tuple | list) else int(value is not None), changes)
        if not changes and isinstance(value, Tensor):
            for used in node.all_input_nodes:
                if used in self._roots and _share(value, self._values[used]):
                    return self._view(own, value, *self._roots[used])
            if found := self._as_a_whole(own, value):
                return found
        self._put(node, value)
        if isinstance(value, Tensor) and not changes:
            self._note_place(node, value)
        elif isinstance(value, tuple | list):
            taken = [arguments, options, *value]
            self._alone[node] = {index for index, one in enumerate(value) if isinstance(one, Tensor)
                                 and sum(_share(one, other) for other in pytree.tree_leaves(taken)) == 1}
        return [own]

    def _note_place(self, node: fx.Node, value: Tensor) -> None:
        if value.untyped_storage().nbytes() == value.numel() * value.itemsize:
            self.places[node] = _Place.of(value)

    def _as_a_whole(self, own: _Step, value: Tensor) -> list[_Step]:
        """What works number by number on views of whole tensors that all lie alike, done on those tensors, and a view
        of the result; nothing where it is something else.
        """
        if not _is_by_number(own.target):
            return []
        place = _Place.of(value)
        seen = {self._same.get(one, one): self._values[one] for one in own.node.all_input_nodes}
        views = [one for one, of in seen.items() if of.dim()]
        roots = {one: self._roots[one] for one in views if self.lies[one].lies_as(place)}
        ways = {(at.shape, at.stride) for _, at in roots.values()}
        if not views or len(roots) < len(views) or len(ways) > 1:
            return []
        (shape, stride), = ways
        at = place._replace(shape=shape, stride=stride)
        begins = all(self.lies[one].offset == of.offset for one, (_, of) in roots.items())
        if at == place or not (shape and begins and at.is_dense and place.is_dense and at.size == place.size):
            return []
        # Some ask for another layout, or count a number for less that has no axis.
        whole = {one: of.as_strided(shape, stride) if one in roots else of for one, of in seen.items()}
        arguments, options = fx.node.map_arg((own.node.args, own.node.kwargs),
                                             lambda one: whole[self._same.get(one, one)])
        if _Place.of(cast("Any", own.target)(*arguments, **options)) != at:
            return []
        node = self._others.placeholder(f"whole_{own.node.name}")
        self._roots[node] = node, at
        self.lies[node] = self.places[node] = at
        said = fx.node.map_arg(own.arguments, lambda one: cast("Any", roots[one][0] if one in roots else one))
        return [own._replace(node=node, arguments=said), *self._view(own, value, node, at)]

    def _view(self, own: _Step, value: Tensor, root: fx.Node, at: _Place) -> list[_Step]:
        """A view of what has numbers of its own, less all views between the two; nothing where it is all of that."""
        place = _Place.of(value)
        begins_within = place.offset != at.offset
        if place.read_as != at.read_as or (begins_within and value.untyped_storage()._cdata in self._given):
            self._put(own.node, value)
            return [own]
        self._values[own.node] = value
        self._roots[own.node] = root, at
        self.lies[own.node] = place
        if root in self.places and not begins_within and place.size == at.size:
            self.whole[own.node] = place
        if place == at:
            self._same[own.node] = root
            return []
        offset = place.offset if begins_within else None
        return [_Step(own.node, torch.ops.aten.as_strided.default, (root, [*place.shape], [*place.stride], offset))]


def _in_full(target: Any, said: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    """All arguments of an operation in their order, as numbers of the kinds that its schema has."""
    arguments = target._schema.arguments
    values = [*said, *(named.get(one.name, one.default_value) for one in arguments[len(said):])]
    if values and isinstance(values[0], int | float) and arguments[0].type.kind() == "TensorType":
        # Python takes a number for a tensor; beside tensors it would count for less than they do.
        if any(isinstance(one, fx.Node) for one in pytree.tree_leaves(values)):
            raise ValueError(f"{target} takes a number before tensors, which the interpreter does not know")
        values[0] = torch.tensor(values[0], dtype=torch.float64 if isinstance(values[0], float) else None)
    return tuple(_of_kind(value, plain(one.type)) for value, one in zip(values, arguments, strict=True))


def _of_kind(value: Any, kind: Any) -> Any:
    match kind.kind(), value:
        case _, None | fx.Node():
            return value
        case _, torch.memory_format():
            return FORMATS[value]
        case "ListType", _:
            inner = plain(kind.getElementType())
            return [_of_kind(one, inner) for one in (value if isinstance(value, tuple | list) else [value])]
        case "FloatType", int():
            return float(value)
        case _:
            return value


def _name(target: Any) -> tuple[str, str]:
    return target._schema.name, target._overloadname


def _share(one: Tensor, other: Any) -> bool:
    return isinstance(other, Tensor) and one.untyped_storage()._cdata == other.untyped_storage()._cdata


def _wanted(steps: list[_Step], outputs: list[fx.Node]) -> Iterator[_Step]:
    """The steps that something comes of."""
    used, kept = set(outputs), []
    for step in reversed(steps):
        if step.changes or not step.results or step.node in used:  # what has no results may refuse to go on
            used.update(step.uses)
            kept.append(step)
    yield from reversed(kept)


def _stood_in(steps: list[_Step], lies: dict[fx.Node, _Place]) -> Iterator[_Step]:
    """The same steps; where a derivative asks a tensor for its shape alone, which was made for that or would only be
    kept for that, another that lies in the same way stands in for it.
    """
    last = {used: index for index, step in enumerate(steps) for used in step.uses}
    blank = {step.node for step in steps if step.target is torch.ops.aten.empty.memory_format}
    known: dict[_Place, list[fx.Node]] = {}
    for index, step in enumerate(steps):
        arguments = list(step.arguments)
        for at in _shapes_alone(step):
            # What is needed later all the same costs nothing.
            if arguments[at] in blank or last[arguments[at]] == index:
                others = (one for one in known.get(lies[arguments[at]], ()) if last[one] > index)
                arguments[at] = next(others, arguments[at])
        if step.node in lies and step.node in last and step.node not in blank:
            known.setdefault(lies[step.node], []).append(step.node)
        yield step._replace(arguments=tuple(arguments))


def _shapes_alone(step: _Step) -> tuple[int, ...]:
    """Which of its arguments a step asks for their shape and layout alone."""
    if step.target is torch.ops.aten.max_pool2d_with_indices_backward.default:
        return (1,)
    if step.target is torch.ops.aten.convolution_backward.default:
        wants_inputs, wants_weight, _ = step.arguments[-1]
        return tuple(at for at, is_read in ((1, wants_weight), (2, wants_inputs)) if not is_read)
    return ()


def _in_place(steps: list[_Step], outputs: list[fx.Node], places: dict[fx.Node, _Place],
              whole: dict[fx.Node, _Place]) -> Iterator[_Step]:
    """The same steps; those that work number by number write over their first argument where its memory is used for the
    last time and lies as the result does.
    """
    # Whose memory it may be that a result lies in, where it has none of its own.
    memory: dict[fx.Node, set[fx.Node]] = {}
    last: dict[fx.Node, int] = {}
    for index, step in enumerate(steps):
        used = {one for node in step.uses for one in memory.get(node, {node})}
        memory[step.node] = used if used and step.node not in places else {step.node}
        last |= dict.fromkeys(used, index)
    last |= {one: len(steps) for node in outputs for one in memory.get(node, {node})}
    for index, step in enumerate(steps):
        first, *others = step.uses or [step.node]
        place = places.get(first) or whole.get(first)
        is_over = step.arguments[:1] == (first,) and place is not None and places.get(step.node) == place
        taken = memory.get(first, {first})
        is_last = all(last.get(one) == index for one in taken) and not any(
            taken & memory.get(one, {one}) for one in others)
        if is_over and is_last and (target := _writing(step.target)):
            takes_place = len(target._schema.arguments) > len(step.arguments)
            yield step._replace(target=target, arguments=(*step.arguments, *[first] * takes_place))
        else:
            yield step


def _is_by_number(target: Any) -> bool:
    """Whether each number of what it gives comes of the numbers at that place in what it takes."""
    is_told = torch.Tag.pointwise in getattr(target, "tags", ())
    return is_told or target is torch.ops.aten.threshold_backward.default


@cache
def _writing(target: Any) -> Any:
    """What does the same, number by number, and writes into its first argument, or into one more; None for the rest."""
    if target is torch.ops.aten.threshold_backward.default:
        return torch.ops.aten.threshold_backward.grad_input
    if not _is_by_number(target):
        return None
    space, _, name = target._schema.name.partition("::")
    writing = getattr(getattr(getattr(torch.ops, space), name + "_", None), target._overloadname, None)
    return writing if writing and _takes(writing) == _takes(target) else None


def _takes(target: Any) -> list[tuple[str, str]]:
    return [(one.name, str(one.type)) for one in target._schema.arguments]
