"""N-way K-shot tasks from examples that belong to classes: what every picture dataset shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.experiment.experiment import Experiment
from workbench.tasks.base import (
    Background,
    DataError,
    Description,
    Examples,
    Overview,
    Spec,
    Stream,
    TaskBatch,
    TaskSource,
)
from workbench.tasks.draws import Draws

SPLIT_NAMES = ("train", "validation", "test")
_SPLIT_OF: dict[Stream, str] = {"train": "train", "validation": "validation", "test": "test", "probe": "validation"}


@dataclass(frozen=True)
class Pictures:
    """Labelled pictures in memory, sorted by class.

    Attributes:
        pixels: [examples, channels, height, width] uint8; ink or light is 255.
        counts: [classes] examples of each class; they follow one another in `pixels`.
        names: Name of each class.
        split: Name of the split of each class: train, validation or test.
        files: Where each example comes from; empty where there are no files.
        form: What it was recognized as.
        facts: One line about the whole.
        problems: What was wrong and left out.
    """

    pixels: Tensor
    counts: NDArray[np.int64]
    names: tuple[str, ...]
    split: tuple[str, ...]
    files: tuple[str, ...] = ()
    form: str = "pictures by class"
    facts: str = ""
    problems: tuple[str, ...] = ()


class ClassTasks(TaskSource):
    """Draws N classes and K + Q pictures of each; labels are a fresh permutation in every task.

    A subclass says where its pictures come from in `load`. With rotations, every class stands for four: itself and
    its turns by 90, 180 and 270 degrees, all on the same side of the split.

    Attributes:
        background: "dark" where every picture is light ink on black.
        pictures: What `load` read.
        rotations: Classes that one class stands for: 1 or 4.
    """

    background: ClassVar[Background] = "as is"
    task_kinds = frozenset({"classification"})
    input_kinds = frozenset({"image"})

    def __init__(self, experiment: Experiment, device: torch.device) -> None:
        super().__init__(experiment, device)
        self.pictures = self.load(experiment)
        self.rotations = 4 if self.turns(experiment) else 1
        self._starts = np.concatenate([[0], np.cumsum(self.pictures.counts)])[:-1]
        self._members = {name: np.flatnonzero([split == name for split in self.pictures.split]) for name in SPLIT_NAMES}
        # A class too small for the tasks of a stream takes no part in it; `check` has named it before training.
        self._fitting = {stream: self._classes(stream) for stream in self.shapes}
        self.check()
        channels, height, width = self.pictures.pixels.shape[1:]
        if self.rotations > 1 and height != width:
            raise DataError(f"pictures of {height}×{width} cannot be turned by 90°; switch dataset.rotations off or "
                            "make them square")
        mean, deviation = self.normalization()
        self.spec = Spec("classification", "image", (channels, height, width), experiment.task.ways, mean, deviation,
                         raw="pixels / 255", background=self.background)
        # (pixels / 255 - mean) / deviation, as one product and at most one sum.
        self._scale = (1 / (255 * torch.tensor(deviation))).view(-1, 1, 1).to(device)
        self._shift = (torch.tensor(mean) / torch.tensor(deviation)).view(-1, 1, 1).to(device)
        self._is_shifted = any(mean)

    def load(self, experiment: Experiment) -> Pictures:
        """Read the pictures; raises DataError where they will not do."""
        raise NotImplementedError

    def turns(self, experiment: Experiment) -> bool:  # noqa: ARG002
        """Whether rotations count as new classes."""
        return False

    def normalization(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation of each channel that inputs are normalized with."""
        channels = self.pictures.pixels.shape[1]
        return (0.0,) * channels, (1.0,) * channels

    def _classes(self, stream: Stream) -> NDArray[np.int64]:
        members = self._members[_SPLIT_OF[stream]]
        needed = self.shapes[stream].shots + self.shapes[stream].queries
        return members[self.pictures.counts[members] >= needed]

    def check(self) -> None:
        """Raise DataError where a split has too few classes for its tasks."""
        for stream, classes in self._fitting.items():
            shape, split = self.shapes[stream], _SPLIT_OF[stream]
            if len(classes) * self.rotations < shape.ways:
                needed = shape.shots + shape.queries
                field_name = "training.ways or task.ways" if stream == "train" else "task.ways"
                raise DataError(
                    f"the {split} split has {len(self._members[split])} classes, {len(classes)} of them with the "
                    f"{needed} examples that {shape.shots} shots and {shape.queries} queries need, and tasks of "
                    f"{shape.ways} ways need {shape.ways}; lower {field_name} or shots or queries, or add classes")

    def _identities(self, stream: Stream, indices: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Classes (rotated ones counted apart) [tasks, ways] and examples [tasks, ways, shots + queries]."""
        shape, classes = self.shapes[stream], self._fitting[stream]
        draws = Draws(self.seed, f"classes/{stream}", indices)
        chosen = draws.choose(len(classes) * self.rotations, shape.ways)[:, 0]
        base = classes[chosen // self.rotations]
        members = draws.choose(self.pictures.counts[base], shape.shots + shape.queries, shape.ways)
        return base * self.rotations + chosen % self.rotations, self._starts[base][..., None] + members

    def sample(self, stream: Stream, indices: Sequence[int]) -> TaskBatch:
        """Tasks with inputs [tasks, ways * n, channels, height, width] in float32 and targets [tasks, ways * n].

        Examples are ordered by label: shots (or queries) of label 0, then of label 1, and so on.
        """
        shape = self.shapes[stream]
        classes, members = self._identities(stream, indices)
        turns = (classes % self.rotations)[..., None]
        parts = [slice(None, shape.shots), slice(shape.shots, None)]
        rows = turns * len(self.pictures.pixels) + members
        inputs = self._inputs(np.concatenate([rows[..., part].ravel() for part in parts]))
        sizes = [members[..., part].size for part in parts]
        return TaskBatch(*(self._examples(part, members.shape[:2]) for part in torch.split(inputs, sizes)))

    @cached_property
    def _pixels(self) -> Tensor:
        """Every picture, and after them every picture turned by 90, 180 and 270 degrees where those count as classes.

        Bytes are cheap to keep, and turning them once rather than in every draw halves what drawing costs.
        """
        pixels = self.pictures.pixels.to(self.device)
        if self.rotations == 1:
            return pixels
        across = pixels.transpose(2, 3).contiguous()
        return torch.cat([pixels, across.flip(2), pixels.flip((2, 3)), across.flip(3)])

    def _inputs(self, rows: NDArray[np.int64]) -> Tensor:
        """Normalized pictures [examples, channels, height, width] of rows of `_pixels`."""
        inputs = self._pixels.index_select(0, torch.from_numpy(rows).to(self.device)).float().mul_(self._scale)
        return inputs.sub_(self._shift) if self._is_shifted else inputs

    def _examples(self, inputs: Tensor, tasks_and_ways: tuple[int, ...]) -> Examples:
        """Inputs ordered by task and label, with their labels."""
        tasks, ways = tasks_and_ways
        per_task = inputs.reshape(tasks, -1, *inputs.shape[1:])
        labels = torch.arange(ways, device=self.device).repeat_interleave(per_task.shape[1] // ways)
        return Examples(per_task, labels.expand(tasks, -1))

    def describe(self, stream: Stream, index: int) -> Description:
        """Names of the classes and the files of the examples."""
        shape = self.shapes[stream]
        classes, members = self._identities(stream, [index])
        names = tuple(self._name(number) for number in classes[0])
        files = self.pictures.files
        support, query = members[0, :, : shape.shots].ravel(), members[0, :, shape.shots :].ravel()
        return Description(", ".join(names), names, *(tuple(files[i] for i in part) if files else ()
                                                      for part in (support, query)))

    def _name(self, number: int) -> str:
        base, turn = divmod(int(number), self.rotations)
        return self.pictures.names[base] + (f", turned {90 * turn}°" if turn else "")

    def overview(self) -> Overview:
        """Counts of classes and examples by split, and a dozen pictures."""
        pictures = self.pictures
        chosen = np.linspace(0, len(pictures.counts) - 1, min(12, len(pictures.counts))).astype(int)
        return Overview(pictures.form, pictures.facts, {name: len(self._members[name]) for name in SPLIT_NAMES},
                        {name: int(pictures.counts[self._members[name]].sum()) for name in SPLIT_NAMES},
                        pictures.problems, pictures.pixels[torch.from_numpy(self._starts[chosen])])

    def floors(self) -> dict[str, float]:
        """Accuracy of the nearest class mean on raw pixels over 200 test tasks."""
        correct = []
        for start in range(0, 200, 20):
            batch = self.sample("test", range(start, start + 20))
            shape = self.shapes["test"]
            support, query = (part.inputs.flatten(2) for part in (batch.support, batch.query))
            means = support.reshape(len(batch), shape.ways, shape.shots, -1).mean(2)
            nearest = torch.cdist(query, means).argmin(-1)
            correct.append((nearest == batch.query.targets).float().mean().item())
        return {"nearest mean on raw pixels": float(np.mean(correct))}
