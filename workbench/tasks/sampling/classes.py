"""N-way K-shot tasks from examples that belong to classes: what every dataset of classes shares."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cached_property, partial
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.experiment.experiment import Experiment
from workbench.experiment.fields import Choice, field
from workbench.experiment.registry import find
from workbench.tasks.base import (
    SPLIT_NAMES,
    Background,
    Count,
    Description,
    Examples,
    Floor,
    Overview,
    Spec,
    Stream,
    TaskBatch,
    TaskSource,
)
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.watching import tell
from workbench.tasks.sampling.ahead import Ahead, placed
from workbench.tasks.sampling.draws import Draws
from workbench.tasks.sampling.moments import Normalizing
from workbench.words import counted, the

_HELD_OUT = 0.2
_SPLIT_OF: dict[Stream, str] = {"train": "train", "validation": "validation", "test": "test", "probe": "validation"}


@dataclass(frozen=True)
class Labelled:
    """Labelled examples in memory, sorted by class.

    Attributes:
        inputs: [examples, *shape]: pixels in uint8, where ink or light is 255, or numbers in float32.
        counts: [classes] examples of each class; they follow one another in `inputs`.
        names: Name of each class.
        split: Name of the split of each class: train, validation or test; empty where it takes no part.
        files: Where each example comes from; empty where there are no files.
        form: What it was recognized as.
        facts: One line about the whole.
        problems: What was wrong and left out.
        reading: As in `Spec`.
        moments: For pixels where it is known, [examples, channels, 2] mean of each example and of its squares, with
            pixels in [0, 1].
        words: What each example says, to be shown to people, where the examples are texts; empty elsewhere.
        sides: [examples] the only split, by its place among `SPLIT_NAMES`, that an example may be drawn in; a place
            beyond them for any. None where every example may be drawn wherever its class is.
    """

    inputs: Tensor
    counts: NDArray[np.int64]
    names: tuple[str, ...]
    split: tuple[str, ...]
    files: tuple[str, ...] = ()
    form: str = "pictures by class"
    facts: str = ""
    problems: tuple[str, ...] = ()
    reading: Mapping[str, Any] = dataclass_field(default_factory=dict)
    moments: Tensor | None = None
    words: tuple[str, ...] = ()
    sides: NDArray[np.int8] | None = None


class ClassTasksConfig(Choice):
    """What every dataset of classes lets a person choose."""

    held_out: Literal["classes", "examples"] = field(
        "classes", label="Held out", help="What validation and testing have for themselves: classes, as few-shot "
        "learning wants it, or a fifth each of every class's examples, as ordinary supervised learning does.",
        choices={"classes": "Classes", "examples": "Examples"}, advanced=True)


class Part(NamedTuple):
    """A split: its classes, and for every class there is [classes] where its examples begin in the order of examples
    and how many there are."""

    classes: NDArray[np.int64]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]


def _noise(count: int) -> NDArray[np.float64]:
    """[count] random numbers that are the same for every seed of an experiment, so that runs are compared on the same
    examples."""
    return np.random.default_rng(0).random(count)


def sides_by_example(counts: NDArray[np.int64], names: Sequence[str]) -> NDArray[np.int8]:
    """[examples] the split that each is in, by its place among `SPLIT_NAMES`, where all classes are in every split.

    Args:
        counts: [classes] examples of each class, which follow one another.
        names: Of the classes.

    Raises:
        DataError: A class has fewer than three.
    """
    if counts.min() < 3:
        raise DataError(f"{the('class', names[int(counts.argmin())])} has {counted(int(counts.min()), 'examples')}, "
                        "and holding examples out needs three of every class; add some, take the class away, or set "
                        "dataset.held_out to "
                        "classes")
    of_class = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((_noise(len(of_class)), of_class))
    held = np.repeat(np.maximum(1, np.round(_HELD_OUT * counts).astype(np.int64)), counts)
    place = np.arange(len(of_class)) - np.repeat(np.cumsum(counts) - counts, counts)
    sides = np.empty(len(of_class), dtype=np.int8)
    sides[order] = np.select([place < held, place < 2 * held], [SPLIT_NAMES.index("test"),
                                                                SPLIT_NAMES.index("validation")], 0)
    return sides


class ClassTasks(TaskSource):
    """Draws N classes and K + Q examples of each; labels are a fresh permutation in every task.

    A subclass says where its examples come from in `load`. With rotations, every class of pictures stands for four:
    itself and its turns by 90, 180 and 270 degrees, all on the same side of the split.

    Attributes:
        background: "dark" where every picture is light ink on black.
        raw: As in `Spec`.
        labelled: What `load` read.
        rotations: Classes that one class stands for: 1 or 4.
    """

    background: ClassVar[Background] = "as is"
    raw: ClassVar[str] = "pixels / 255"
    task_kinds = frozenset({"classification"})
    input_kinds = frozenset({"image"})

    def __init__(self, experiment: Experiment, device: torch.device) -> None:
        super().__init__(experiment, device)
        self.labelled = self.load(experiment)
        self.rotations = 4 if self.turns(experiment) else 1
        self.holds_out_examples = getattr(experiment.dataset, "held_out", "classes") == "examples"
        self._order, self._parts = self._by_example() if self.holds_out_examples else self._by_class()
        # A class too small for the tasks of a stream takes no part in it; `check` has named it before training.
        self._fitting = {stream: self._classes(stream) for stream in self.shapes}
        if find("algorithm", experiment.algorithm.name).tested_on == "tasks":
            self.check()
        shape = tuple(self.labelled.inputs.shape[1:])
        if self.rotations > 1 and shape[1] != shape[2]:
            raise DataError(f"pictures of {shape[1]}×{shape[2]} cannot be turned by 90°; switch dataset.rotations off "
                            "or make them square")
        mean, deviation = self.normalization()
        (input_kind,) = self.input_kinds
        self.spec = Spec("classification", input_kind, shape, experiment.task.ways, mean, deviation, raw=self.raw,
                         background=self.background, classes=len(self._parts["train"].classes) * self.rotations,
                         reading=self.labelled.reading)
        self._normalized = Normalizing(mean, deviation, self.labelled.inputs, device)
        self._gathered: Tensor | None = None
        self._ahead: Ahead[tuple[NDArray[np.int64], NDArray[np.int64]]] = Ahead()

    @abstractmethod
    def load(self, experiment: Experiment) -> Labelled:
        """Read the examples; raises DataError where they will not do."""

    def turns(self, experiment: Experiment) -> bool:  # noqa: ARG002
        """Whether rotations count as new classes."""
        return False

    def training_examples(self) -> NDArray[np.int64]:
        """Rows of `labelled.inputs` that training may see."""
        part = self._parts["train"]
        return np.concatenate([self._order[part.starts[one]:part.starts[one] + part.counts[one]]
                               for one in part.classes])

    def normalization(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation of each channel or feature that inputs are normalized with."""
        channels = self.labelled.inputs.shape[1]
        return (0.0,) * channels, (1.0,) * channels

    def _by_class(self) -> tuple[NDArray[np.int64], dict[str, Part]]:
        """The examples as they come, and splits of other classes each."""
        counts, sides = self.labelled.counts, self.labelled.sides
        order = np.arange(counts.sum())
        if sides is not None:  # of a class only those are there that its own side may have
            of_class = np.repeat(np.arange(len(counts)), counts)
            own = np.array([SPLIT_NAMES.index(split) if split else -1 for split in self.labelled.split])[of_class]
            order = np.flatnonzero((sides == own) | (sides >= len(SPLIT_NAMES)))
            counts = np.bincount(of_class[order], minlength=len(counts))
        starts = np.cumsum(counts) - counts
        return order, {
            name: Part(np.flatnonzero([split == name for split in self.labelled.split]), starts, counts)
            for name in SPLIT_NAMES}

    def _by_example(self) -> tuple[NDArray[np.int64], dict[str, Part]]:
        """The examples shuffled within each class, and splits of all classes with examples of their own each."""
        counts = self.labelled.counts
        sides = self.labelled.sides
        if sides is None:
            sides = sides_by_example(counts, self.labelled.names)
        of_class, noise = np.repeat(np.arange(len(counts)), counts), _noise(len(sides))
        order = np.lexsort((noise, -sides, of_class))
        sizes = np.stack([np.bincount(of_class[sides == side], minlength=len(counts))
                          for side in range(len(SPLIT_NAMES))])
        lacking = np.argwhere(sizes == 0)
        if len(lacking):
            side, one = lacking[0]
            raise DataError(f"{the('class', self.labelled.names[one])} has no example in {SPLIT_NAMES[side]}, and "
                            "holding examples out needs one of every class in each split; add some, or take the class "
                            "away")
        starts, classes = np.cumsum(counts) - counts, np.arange(len(counts))
        before = np.cumsum(sizes[::-1], axis=0)[::-1] - sizes  # what is tested on lies first
        return order, {name: Part(classes, starts + before[side], sizes[side])
                       for side, name in enumerate(SPLIT_NAMES)}

    def _classes(self, stream: Stream) -> NDArray[np.int64]:
        part = self._parts[_SPLIT_OF[stream]]
        needed = self.shapes[stream].shots + self.shapes[stream].queries
        return part.classes[part.counts[part.classes] >= needed]

    def check(self) -> None:
        """Raise DataError where a split has too few classes for its tasks."""
        for stream, classes in self._fitting.items():
            shape, split = self.shapes[stream], _SPLIT_OF[stream]
            if len(classes) * self.rotations < shape.ways:
                needed = shape.shots + shape.queries
                field_name = "training.ways or task.ways" if stream == "train" else "task.ways"
                raise DataError(
                    f"the {split} split has {counted(len(self._parts[split].classes), 'classes')}, {len(classes)} of "
                    f"them with the {needed} examples that {counted(shape.shots, 'shots')} and "
                    f"{counted(shape.queries, 'queries')} need, and tasks of {shape.ways} ways need {shape.ways}; "
                    f"lower {field_name} or shots or queries, or add classes")

    def _identities(self, stream: Stream, indices: Sequence[int], include: Sequence[int] = ()
                    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Classes (rotated ones counted apart) [tasks, ways] and examples [tasks, ways, shots + queries]."""
        shape, fitting, part = self.shapes[stream], self._fitting[stream], self._parts[_SPLIT_OF[stream]]
        draws = Draws(self.seed, f"classes/{stream}", indices)
        chosen = draws.choose(len(fitting) * self.rotations, shape.ways)[:, 0]
        classes = fitting[chosen // self.rotations] * self.rotations + chosen % self.rotations
        if len(include):
            # The wanted class takes the place of any other, unless the task has it anyway: no label may tell of it.
            wanted = np.asarray(include)[:, None]
            place = (draws.uniform(1) * shape.ways).astype(np.int64)
            is_free = (np.arange(shape.ways) == place) & ~(classes == wanted).any(1, keepdims=True)
            classes = np.where(is_free, wanted, classes)
        base = classes // self.rotations
        members = draws.choose(part.counts[base], shape.shots + shape.queries, shape.ways)
        return classes, self._order[part.starts[base][..., None] + members]

    def classes(self, stream: Stream, indices: Sequence[int]) -> NDArray[np.int64]:
        """Numbers of the classes [tasks, ways], rotated ones counted apart."""
        return self._identities(stream, indices)[0]

    def examples(self, stream: Stream, indices: Sequence[int], count: int) -> TaskBatch:
        """Examples of all training classes, each class as likely as the other, labelled by its place among them."""
        if stream != "train" and not self.holds_out_examples:
            raise DataError("the classes that are tested on are none of those that are trained on, so a learner that "
                            "tells the training classes apart cannot be tested; set dataset.held_out to examples")
        labels, rows = self._ahead.take((stream, count), indices, partial(self._portions, stream, count))
        inputs = self._inputs(rows.ravel()).reshape(len(indices), count, *self.spec.input_shape)
        targets = placed(labels, self.device)
        return TaskBatch(Examples(inputs[:, :0], targets[:, :0]), Examples(inputs, targets))

    def _portions(self, stream: Stream, count: int, indices: Sequence[int]
                  ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Labels and rows [portions, count] of examples of all classes."""
        part = self._parts[_SPLIT_OF[stream]]
        draws = Draws(self.seed, f"examples/{stream}", indices)
        label, place = draws.uniform(2 * count).reshape(len(indices), 2, count).transpose(1, 0, 2)
        labels = (label * len(part.classes) * self.rotations).astype(np.int64)
        base = part.classes[labels // self.rotations]
        rows = self._order[part.starts[base] + (place * part.counts[base]).astype(np.int64)]
        return labels, rows + labels % self.rotations * len(self.labelled.inputs)

    def draw_ahead(self, stream: Stream, indices: range, portion: int = 0) -> None:
        """Classes and examples, or labels and examples."""
        shape = self.shapes[stream]
        numbers = 2 * portion or shape.ways * (shape.shots + shape.queries)
        self._ahead.draw((stream, portion), indices, numbers, partial(self._portions, stream, portion) if portion
                         else partial(self._identities, stream))

    def sample(self, stream: Stream, indices: Sequence[int], include: Sequence[int] = ()) -> TaskBatch:
        """Tasks with inputs [tasks, ways * n, *input_shape] in float32 and targets [tasks, ways * n].

        Examples are ordered by label: shots (or queries) of label 0, then of label 1, and so on.
        """
        shots, rows = self.shapes[stream].shots, self.rows(stream, indices, include)
        parts = [rows[..., :shots], rows[..., shots:]]
        inputs = self._inputs(np.concatenate([part.ravel() for part in parts]))
        return TaskBatch(*(self._examples(part, rows.shape[:2])
                           for part in torch.split(inputs, [part.size for part in parts])))

    def rows(self, stream: Stream, indices: Sequence[int], include: Sequence[int] = ()) -> NDArray[np.int64]:
        """Rows [tasks, ways, shots + queries] of all examples, as `gather` takes them, in the order of labels."""
        classes, members = (self._identities(stream, indices, include) if len(include) else
                            self._ahead.take((stream, 0), indices, partial(self._identities, stream)))
        return (classes % self.rotations)[..., None] * len(self.labelled.inputs) + members

    @cached_property
    def _all(self) -> Tensor:
        """Every example, and after them every picture turned by 90, 180 and 270 degrees where those count as classes.

        Bytes are cheap to keep, and turning them once rather than in every draw halves what drawing costs.
        """
        pixels = self.labelled.inputs.to(self.device)
        if self.rotations == 1:
            return pixels
        count = len(pixels)
        turned = pixels.new_empty(self.rotations * count, *pixels.shape[1:])
        for quarters in range(self.rotations):
            turned[quarters * count : (quarters + 1) * count] = torch.rot90(pixels, quarters, (2, 3))
        return turned

    def _inputs(self, rows: NDArray[np.int64]) -> Tensor:
        """Normalized inputs [examples, *input_shape] of rows of `_all`."""
        return self._normalized(self.gather(rows))  # a tensor of its own: the next draw overwrites what was gathered

    def gather(self, rows: NDArray[np.int64]) -> Tensor:
        """Raw inputs of rows of `_all` on the device; what an earlier call gave is overwritten.

        Fresh memory for the pixels of a large meta-batch would take ten times as long as copying them.
        """
        needed = (len(rows), *self._all.shape[1:])
        if self._gathered is None or len(self._gathered) < len(rows):
            self._gathered = torch.empty(needed, dtype=self._all.dtype, device=self.device)
        return torch.index_select(self._all, 0, placed(rows, self.device),
                                  out=self._gathered[: len(rows)])

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
        files = self.labelled.files
        support, query = members[0, :, : shape.shots].ravel(), members[0, :, shape.shots :].ravel()
        return Description(", ".join(names), names, *(tuple(files[i] for i in part) if files else ()
                                                      for part in (support, query)))

    def _name(self, number: int) -> str:
        base, turn = divmod(int(number), self.rotations)
        return self.labelled.names[base] + (f", turned {90 * turn}°" if turn else "")

    def names(self, split: str) -> frozenset[str]:
        """Names of the classes of a split."""
        return frozenset(self.labelled.names[number] for number in self._parts[split].classes)

    def counts(self) -> tuple[Count, ...]:
        """Examples of each class in its split, or in each of the splits that share it; rotations are not counted."""
        return tuple(Count(self.labelled.names[one], name, int(part.counts[one]))
                     for name in SPLIT_NAMES for part in (self._parts[name],) for one in part.classes)

    def shown_example(self, row: int) -> str:
        """What an example says, where the examples are texts."""
        return self.labelled.words[row] if self.labelled.words else ""

    def overview(self) -> Overview:
        """Counts of classes and examples by split, and a dozen pictures."""
        found = self.labelled
        chosen = np.linspace(0, len(found.counts) - 1, min(12, len(found.counts))).astype(int)
        first = np.cumsum(found.counts) - found.counts
        samples = found.inputs[torch.from_numpy(first[chosen])] if found.inputs.dtype == torch.uint8 else None
        return Overview(found.form, found.facts,
                        {name: len(self._parts[name].classes) for name in SPLIT_NAMES},
                        {name: int(self._parts[name].counts[self._parts[name].classes].sum()) for name in SPLIT_NAMES},
                        found.problems, samples)

    def floors(self) -> tuple[Floor, ...]:
        """Accuracy of the nearest class mean on the inputs over 200 test tasks."""
        correct: list[float] = []
        for start in range(0, 200, 20):
            tell()
            batch = self.sample("test", range(start, start + 20))
            shape = self.shapes["test"]
            support, query = (part.inputs.flatten(2) for part in (batch.support, batch.query))
            means = support.reshape(len(batch), shape.ways, shape.shots, -1).mean(2)
            nearest = torch.cdist(query, means).argmin(-1)
            correct += (nearest == batch.query.targets).float().mean(1).tolist()
        is_pixels = self.labelled.inputs.dtype == torch.uint8
        return (Floor(f"nearest mean on {'raw pixels' if is_pixels else 'the inputs'}", "accuracy",
                      float(np.mean(correct)), float(1.96 * np.std(correct, ddof=1) / len(correct) ** 0.5),
                      len(correct)),)
