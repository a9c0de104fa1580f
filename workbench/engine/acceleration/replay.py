"""A list of tensor operations, which `writing` writes down, replayed without what stands around each of them.

Deriving, mapping over tasks and Python itself take longer than a small network takes to compute. The list has none of
that: torch's own interpreter calls one operation after another, without holding up other threads of Python. The
operations themselves are the same, in the same order, so that the numbers are the same to the last bit.

Building a list for that interpreter takes functions that torch does not promise to keep. Where a torch lacks one, or
has changed it, nothing is replayed, which gives the same numbers more slowly.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

Run = Callable[[list[Tensor]], list[Tensor]]

_NEEDED = ("Graph", "ListType", "TensorType", "_AutoDispatchBelowAutograd", "_create_function_from_graph",
           "_get_graph_executor_optimize", "_set_graph_executor_optimize")
NOT_REPLAYED = RuntimeError, ValueError, TypeError, AttributeError
"""What is raised where functions that torch may change are not what they were."""
# As c10/core/MemoryFormat.h counts them: the interpreter knows them by their numbers only.
FORMATS = {torch.contiguous_format: 0, torch.preserve_format: 1, torch.channels_last: 2, torch.channels_last_3d: 3}
# The halves may be off the middle by such a share of the work.
_NEARLY = 0.05
_HEAVY = {f"aten::{name}" for name in ("convolution", "convolution_backward", "mm", "bmm", "addmm", "baddbmm")}


def can_replay() -> bool:
    """Whether this torch has what replaying takes."""
    return all(hasattr(torch._C, name) for name in _NEEDED)


@dataclass(frozen=True)
class Use:
    """A tensor among the arguments of a line: what is given and what lines give are counted in their order."""

    number: int


class Line(NamedTuple):
    """An operation, or a constant.

    Attributes:
        operation: Its name and overload; empty for a constant.
        arguments: All that it takes, in the order of its schema, with a `Use` where an earlier result goes; or the
            constant.
        results: How many tensors it gives.
    """

    operation: tuple[str, str]
    arguments: tuple[Any, ...]
    results: int

    def moved(self, numbers: Callable[[int], int]) -> Line:
        """The same operation on tensors that have other numbers."""
        return self._replace(arguments=pytree.tree_map_only(Use, lambda one: Use(numbers(one.number)), self.arguments))


@dataclass(frozen=True)
class Script:
    """A list of operations, which another process may be sent.

    Attributes:
        given: How many tensors it is given.
        lines: What it does.
        outputs: The numbers of the results that it gives.
    """

    given: int
    lines: tuple[Line, ...]
    outputs: tuple[int, ...]

    def halves(self) -> tuple[Script, Script]:
        """Its first half and its second, which is given what the first gives."""
        needed = self._needed_later()
        cut = self._middle(needed)
        before = self.given + sum(line.results for line in self.lines[:cut])
        handed = tuple(sorted(needed[cut]))
        places = {number: place for place, number in enumerate(handed)}

        def moved(number: int) -> int:
            return places[number] if number in places else number - before + len(handed)

        return (Script(self.given, self.lines[:cut], handed),
                Script(len(handed), tuple(line.moved(moved) for line in self.lines[cut:]),
                       tuple(moved(number) for number in self.outputs)))

    def _middle(self, needed: Sequence[frozenset[int]]) -> int:
        """After so many lines about half of the work is done, which is of convolutions and products if there are any,
        and few results are needed later, as between inner steps.
        """
        heavy = [index for index, line in enumerate(self.lines) if line.operation[0] in _HEAVY]
        work = heavy or range(len(self.lines))
        off = [abs(bisect_left(work, cut) - len(work) / 2) for cut in range(len(needed))]
        near = (cut for cut, by in enumerate(off) if by <= max(0.5, _NEARLY * len(work)))
        return min(near, key=lambda cut: (len(needed[cut]), off[cut]))

    def _needed_later(self) -> list[frozenset[int]]:
        """The numbers of results that are needed later, after each number of lines."""
        needed = frozenset(self.outputs)
        begins = self.given + sum(line.results for line in self.lines)
        found = [needed]
        for line in reversed(self.lines):
            begins -= line.results
            used = {one.number for one in pytree.tree_leaves(line.arguments) if isinstance(one, Use)}
            needed = needed.difference(range(begins, begins + line.results)) | used
            found.append(needed)
        return found[::-1]

    def run(self) -> Run:
        """What replays it; several threads may at the same time.

        Raises:
            RuntimeError: The interpreter does not know one of the operations.
        """
        return _interpreted(_Builder().graph(self))

    def run_for_each(self, places: Sequence[int]) -> Run:
        """What replays it for one entry after another along the first axis of some of its tensors.

        The others are the same for every entry: what one writes into them the next finds there. Results are stacked.
        Entries lie in memory in the order of their axes, each by itself: a product may round by where its numbers lie.

        Args:
            places: Which of its tensors have that axis.

        Raises:
            RuntimeError: As for `run`.
        """
        return _interpreted(_Builder().graph_for_each(self, places))


class Chain:
    """Scripts one after another, of which one script is made.

    Args:
        given: How many tensors it is given.
    """

    def __init__(self, given: int) -> None:
        self._given = given
        self._count = given
        self._lines: list[Line] = []

    def take(self, script: Script, given: Sequence[int]) -> list[int]:
        """Go on with a script that is given earlier results of these numbers; the numbers of what it gives."""
        before = self._count - script.given

        def moved(number: int) -> int:
            return given[number] if number < script.given else before + number

        self._lines.extend(line.moved(moved) for line in script.lines)
        self._count += sum(line.results for line in script.lines)
        return [moved(number) for number in script.outputs]

    def script(self, outputs: Sequence[int]) -> Script:
        """All of it, giving the results of these numbers."""
        return Script(self._given, tuple(self._lines), tuple(outputs))


def _interpreted(graph: Any) -> Run:
    """What has torch's interpreter go through a graph as it is."""
    function = torch._C._create_function_from_graph("replay", graph)

    def run(tensors: list[Tensor]) -> list[Tensor]:
        # It is to be interpreted as it is; the switch is of this thread alone.
        before = torch._C._get_graph_executor_optimize()
        torch._C._set_graph_executor_optimize(False)
        try:
            with cast("Any", torch._C)._AutoDispatchBelowAutograd():
                return cast("list[Tensor]", function(*tensors))
        except RuntimeError as error:  # it tells where it was before it tells what was wrong
            raise RuntimeError(str(error).strip().rpartition("\nRuntimeError: ")[2]) from error
        finally:
            torch._C._set_graph_executor_optimize(before)

    return run


@dataclass
class _Builder:
    """Builds a script for torch's interpreter, which forgets every result after its last use."""

    _graph: Any = field(default_factory=torch._C.Graph)
    _values: list[Any] = field(default_factory=list)
    _constants: dict[Any, Any] = field(default_factory=dict)

    def graph(self, script: Script) -> Any:
        """The script as a graph."""
        self._values.extend(self._graph.addInput() for _ in range(script.given))
        return self._giving(self._found(script))

    def graph_for_each(self, script: Script, places: Sequence[int]) -> Any:
        """The same in a loop over the first axis of some tensors; see `Script.run_for_each`."""
        self._values.extend(self._graph.addInput() for _ in range(script.given))
        first, tensor = self._argument(0, None), torch._C.TensorType.get()
        (count,) = self._inserted("aten::size", [self._values[places[0]], first], [torch._C.IntType.get()])
        goes_on, in_order = self._argument(True, None), self._argument(FORMATS[torch.contiguous_format], None)
        found = [self._list([], _tensors()) for _ in script.outputs]
        block = self._graph.insertNode(self._graph.create("prim::Loop", [count, goes_on], 0)).addBlock()
        index = block.addInputToBlock()
        index.setType(torch._C.IntType.get())
        block.registerOutput(goes_on)
        with self._graph.insert_point_guard(block):
            def copied(value: Any) -> Any:
                """In memory of its own, where nobody writes into it later; numbers in the order of the axes."""
                return self._inserted("aten::clone", [value, in_order], [tensor])[0]

            for place in places:
                entry = self._inserted("aten::select", [self._values[place], first, index], [tensor])
                self._values[place] = copied(*entry)
            for results, one in zip(found, self._found(script), strict=True):
                self._inserted("aten::append", [results, copied(one)], [_tensors()])
        return self._giving([self._inserted("aten::stack", [results, first], [tensor])[0] for results in found])

    def _found(self, script: Script) -> list[Any]:
        """What comes of the lines."""
        for line in script.lines:
            self._values.extend(self._results(line))
        return [self._values[number] for number in script.outputs]

    def _giving(self, outputs: list[Any]) -> Any:
        self._graph.registerOutput(self._list(outputs, _tensors()))
        return self._graph

    def _results(self, line: Line) -> list[Any]:
        if not line.operation[0]:
            return [self._graph.insertConstant(line.arguments[0])]
        schema = operation(*line.operation)._schema
        values = [self._argument(value, one.type) for value, one in zip(line.arguments, schema.arguments, strict=True)]
        found = self._inserted(schema.name, values, [one.type for one in schema.returns])
        if [one.type.kind() for one in schema.returns] == ["ListType"]:
            return self._inserted("prim::ListUnpack", found, [torch._C.TensorType.get()] * line.results)
        return found

    def _inserted(self, name: str, values: list[Any], kinds: list[Any]) -> list[Any]:
        node = self._graph.insertNode(self._graph.create(name, values, len(kinds)))
        found = list(node.outputs())
        for value, kind in zip(found, kinds, strict=True):
            value.setType(kind)
        return found

    def _argument(self, value: Any, kind: Any) -> Any:
        if isinstance(value, Use):
            return self._values[value.number]
        if isinstance(value, list) and (not value or any(isinstance(one, Use) for one in value)):
            return self._list([self._argument(one, None) for one in value], plain(kind))
        key = (type(value), repr(value)) if not isinstance(value, Tensor) else id(value)
        if key not in self._constants:
            self._constants[key] = self._graph.insertConstant(value)
        return self._constants[key]

    def _list(self, values: list[Any], kind: Any) -> Any:
        return self._inserted("prim::ListConstruct", values, [kind])[0]


def _tensors() -> Any:
    return torch._C.ListType(torch._C.TensorType.get())


@cache
def operation(name: str, overload: str) -> Any:
    """The operation of a line."""
    space, _, name = name.partition("::")
    return getattr(getattr(getattr(torch.ops, space), name), overload)


def plain(kind: Any) -> Any:
    """A kind of arguments without being optional."""
    return kind.getElementType() if kind.kind() == "OptionalType" else kind
