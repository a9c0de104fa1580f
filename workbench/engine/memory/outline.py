"""What a dataset's tasks are without their numbers: enough to say what a run would take, and nothing to hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import is_dataclass
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from workbench.experiment.experiment import Experiment
from workbench.tasks.base import Examples, Stream, TaskBatch, TaskSource
from workbench.tasks.files.errors import DataError


class Outline(TaskSource):
    """Gives tasks on the device "meta", of the shapes and types that another source gives.

    Args:
        experiment: What the other was opened with.
        source: The other; it is not kept.

    Attributes:
        size: Bytes of the tensors that the other keeps.
    """

    def __init__(self, experiment: Experiment, source: TaskSource) -> None:
        super().__init__(experiment, torch.device("meta"))
        self.spec = source.spec
        self._tasks: dict[bool, TaskBatch] = {}
        self._portions: dict[bool, TaskBatch] = {}
        # A stream that has no tasks, or no examples, is wanted by nobody whose experiment can be run.
        for is_train in (True, False):
            stream: Stream = "train" if is_train else "validation"
            with suppress(DataError, ValueError):
                self._tasks[is_train] = bare(source.sample(stream, [0]))
            with suppress(DataError):
                self._portions[is_train] = bare(source.examples(stream, [0], 1))
        self.size = held(source, source.device)

    def sample(self, stream: Stream, indices: Sequence[int], include: Sequence[int] = ()) -> TaskBatch:  # noqa: ARG002
        """As many tasks of the shape that this stream's have."""
        return spread(self._known(self._tasks, stream), len(indices))

    def examples(self, stream: Stream, indices: Sequence[int], count: int) -> TaskBatch:
        """As many portions of as many examples."""
        support, query = self._known(self._portions, stream)
        whole = Examples(*(one.expand(-1, count, *one.shape[2:]) for one in query))
        return spread(TaskBatch(support, whole), len(indices))

    @staticmethod
    def _known(table: dict[bool, TaskBatch], stream: Stream) -> TaskBatch:
        if (stream == "train") not in table:
            raise DataError(f"the {stream} stream has no tasks of this kind")
        return table[stream == "train"]

    def describe(self, stream: Stream, index: int) -> NoReturn:
        """An outline has no names."""
        raise NotImplementedError

    def overview(self) -> NoReturn:
        """An outline has no facts."""
        raise NotImplementedError


def bare(tree: Any) -> Any:
    """Tensors of the same shapes and types without numbers."""
    return pytree.tree_map(lambda value: torch.empty_like(value, device="meta"), tree)


def spread(task: TaskBatch, tasks: int) -> TaskBatch:
    """As many tasks of the shape of one."""
    found: TaskBatch = pytree.tree_map(lambda value: value.expand(tasks, *value.shape[1:]), task)
    return found


def held(source: TaskSource, device: torch.device) -> int:
    """Bytes of the tensors on a device that a source keeps."""
    storages = {one.untyped_storage().data_ptr(): one.untyped_storage().nbytes() for one in _tensors(vars(source))
                if one.device.type == device.type}
    return sum(storages.values())


def _tensors(table: dict[str, Any]) -> Iterator[Tensor]:
    for value in table.values():
        if isinstance(value, Tensor):
            yield value
        elif is_dataclass(value) and not isinstance(value, type):
            yield from _tensors(vars(value))
