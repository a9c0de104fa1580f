"""What a task is, and what every source of tasks can do."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.experiment.experiment import Experiment, TaskConfig
from workbench.experiment.metrics import Metric
from workbench.experiment.registry import InputKind, Pluggable, Role, TaskKind
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import Listing

Stream = Literal["train", "validation", "test", "probe"]
Background = Literal["dark", "as is"]
# Stands for the metric that is usual for the kind of task, until a spec is made.
_USUAL_METRIC = cast("Metric", "")
STREAMS: tuple[Stream, ...] = ("train", "validation", "test", "probe")
SPLIT_NAMES = ("train", "validation", "test")


class Examples(NamedTuple):
    """Inputs and targets.

    Attributes:
        inputs: [n, *input_shape], float.
        targets: [n] class numbers (int64) or [n, outputs] values (float).
    """

    inputs: Tensor
    targets: Tensor


class Task(NamedTuple):
    """One few-shot problem: adapt to `support`, be judged on `query`."""

    support: Examples
    query: Examples


class TaskBatch(NamedTuple):
    """Tasks of one shape: the tensors of `Task` with a leading task axis."""

    support: Examples
    query: Examples

    def __len__(self) -> int:
        """The number of tasks, not of the tuple's fields."""
        return len(self.support.inputs)

    def task(self, index: int) -> Task:
        """One task of the batch."""
        return Task(*(Examples(part.inputs[index], part.targets[index]) for part in (self.support, self.query)))

    def part(self, start: int, stop: int) -> TaskBatch:
        """The tasks from start up to stop."""
        return TaskBatch(*(Examples(part.inputs[start:stop], part.targets[start:stop])
                           for part in (self.support, self.query)))


@dataclass(frozen=True)
class Spec:
    """What a network and an algorithm need to know of the tasks.

    Attributes:
        kind: classification or regression.
        input_kind: image, series or vector.
        input_shape: Shape of one input: (channels, height, width), (channels, length) or (features,).
        outputs: Numbers that a learner puts out for one input: ways, or target dimensions.
        classes: Training classes in all, among which examples are told apart where a method pretrains; 0 for
            regression.
        mean, deviation: Inputs are (raw - mean) / deviation, per channel or feature, with raw pixels in [0, 1].
        raw: How a raw input is to be read, in words that an export carries along.
        metric: What learners are judged by; empty stands for accuracy, or for mse where the tasks are regression.
        reading: How files of a person's become inputs, as plain values that a dataset of their own writes and reads:
            the columns of a table, the rate of a recording.
        background: For pictures, "dark" where the learner only ever saw light ink on black, so that drawings on white
            paper have to be inverted; "as is" where a picture goes in as it was taken.
    """

    kind: TaskKind
    input_kind: InputKind
    input_shape: tuple[int, ...]
    outputs: int
    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)
    raw: str = ""
    background: Background = "as is"
    classes: int = 0
    reading: Mapping[str, Any] = field(default_factory=dict, hash=False)
    metric: Metric = _USUAL_METRIC

    def __post_init__(self) -> None:
        """Fill in the usual metric of the kind."""
        if not self.metric:
            object.__setattr__(self, "metric", "accuracy" if self.kind == "classification" else "mse")

    @property
    def is_of_pixels(self) -> bool:
        """Whether inputs are pictures, and no other images such as spectrograms."""
        return self.input_kind == "image" and self.raw.startswith("pixels")

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Spec:
        """The spec that was written as a table of plain values."""
        values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value
                                  for name, value in table.items()}
        return cls(**values)


@dataclass(frozen=True)
class Description:
    """A task in words.

    Attributes:
        title: Such as "Tibetan, Korean, Greek" or "amplitude 3.1, phase 0.4".
        class_names: For classification, the name of each target number.
        support_files, query_files: Where each example comes from; empty where there are no files.
    """

    title: str
    class_names: tuple[str, ...] = ()
    support_files: tuple[str, ...] = ()
    query_files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Overview:
    """A dataset in words and numbers, for the form's card and for `data check`.

    Attributes:
        form: What it was recognized as.
        facts: One line, such as "1,623 characters · 20 drawings each · 28×28".
        classes: Classes of each split.
        examples: Examples of each split.
        problems: What is wrong, each naming its file and the remedy.
        samples: Up to a dozen pictures [n, channels, height, width] uint8, or None.
        tasks: Tasks of each split, where there is a fixed number of them.
        class_count: Classes in all where splits share some; None where all are different.
    """

    form: str
    facts: str
    classes: dict[str, int] = field(default_factory=dict)
    examples: dict[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    samples: Tensor | None = None
    tasks: dict[str, int] = field(default_factory=dict)
    class_count: int | None = None


@dataclass(frozen=True)
class Recognition:
    """What a dataset takes a person's data for.

    Attributes:
        form: What the data are, in words, such as "one table, classes in a column".
        why: What shows it, as a sentence without its full stop.
        certainty: From 0 to 1; the surest dataset is taken.
        settings: Fields of the dataset that were guessed, beside `path`.
        experiment: Other fields of the experiment that the data demand, by their dotted names, such as "task.ways".
        otherwise: How they are read in another way that is as likely to be meant, as a sentence without its full stop;
            empty where there is none.
    """

    form: str
    why: str
    certainty: float
    settings: Mapping[str, Any] = field(default_factory=dict)
    experiment: Mapping[str, Any] = field(default_factory=dict)
    otherwise: str = ""


@dataclass(frozen=True)
class NewTask:
    """Labelled examples to adapt to and inputs to predict.

    Attributes:
        class_names: Name of each label; empty for regression.
        support: Inputs [n, *input_shape] as the learner takes them, and labels [n] int64 or values [n, outputs].
        query_inputs: Inputs [m, *input_shape] as the learner takes them.
        query_names: The file, or the line of query.csv, of each of them.
        problems: What was left out, and why.
        inverted: Whether drawings on a bright ground were inverted, because the learner knows light ink on black.
        query_ids: Of a table, the columns that only name its rows, with the cell [m] of each of them.
        target_names: Of a table whose columns have names, what each value to be predicted is called.
        decimal: The sign of decimals that the person's table has; "," where semicolons part its cells.
    """

    class_names: tuple[str, ...]
    support: Examples
    query_inputs: Tensor
    query_names: tuple[str, ...]
    problems: tuple[str, ...] = ()
    inverted: bool = False
    query_ids: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    target_names: tuple[str, ...] = ()
    decimal: str = "."


class NewGuess(NamedTuple):
    """How sure a dataset is, from 0 to 1, that a new task is one of its kind, and the spec of a learner for it."""

    certainty: float
    spec: Spec


@dataclass(frozen=True)
class Floor:
    """What a simple method reaches without any learning, which a learner must beat.

    Attributes:
        name: The method, such as "nearest mean on raw pixels".
        metric: What it was measured by, as in `Spec`.
        mean, ci95: The result, and its 95 % interval where it was measured on tasks.
        tasks: On how many tasks; 0 where it is known exactly.
    """

    name: str
    metric: Metric
    mean: float
    ci95: float | None = None
    tasks: int = 0


class Count(NamedTuple):
    """How many examples a class or a task has in a split."""

    name: str
    split: str
    examples: int


class TaskSource(Pluggable):
    """Draws tasks. A task is a pure function of (seed, stream, index).

    A subclass lives in a file of its own in this folder, or in another package that names it in the entry point group
    `workbench.datasets`. It is opened with the experiment and the device that training runs on; opening may read
    files and raises `DataError` where they will not do.

    Attributes:
        downloadable: Whether `download` can fetch it from its official place.
        reading_form: What `form` in `Spec.reading` says where new tasks are read by `read_new`; empty where they are
            pictures or points as everybody has them.
        spec: What a network and an algorithm need to know of its tasks.
        holds_out_examples: Whether the splits have the same classes and other examples.
    """

    role: ClassVar[Role] = "dataset"
    downloadable: ClassVar[bool] = False
    reading_form: ClassVar[str] = ""
    holds_out_examples: bool = False
    spec: Spec

    def __init__(self, experiment: Experiment, device: torch.device) -> None:
        self.seed = experiment.seed
        self.device = device
        self.shapes: dict[Stream, TaskConfig] = dict.fromkeys(STREAMS, experiment.task)
        self.shapes["train"] = experiment.training_task()

    @classmethod
    def download(cls, to: Path, progress: Callable[[int, int], None], cancelled: Callable[[], bool]) -> Path:  # noqa: ARG003
        """Fetch the official files.

        Args:
            to: Folder that they go into; made where it is missing.
            progress: Told of (bytes so far, bytes in all) as it goes.
            cancelled: Asked between pieces whether to give up.

        Returns:
            The folder, as `dataset.path` takes it.

        Raises:
            DataError: There is nothing to download, or it did not arrive whole; nothing half-done is left behind.
        """
        raise DataError(f"{cls.title} has no official files to download")

    @classmethod
    def recognize(cls, listing: Listing) -> Recognition | None:  # noqa: ARG003 - for datasets of a person's own
        """What this dataset takes some files for; None where they are nothing that it reads."""
        return None

    @classmethod
    def read_new(cls, folder: Path, spec: Spec) -> NewTask:  # noqa: ARG003 - for datasets with a `reading_form`
        """A folder as a new task for a learner whose `spec.reading` has this dataset's form.

        Raises:
            DataError: It is no such task, with the file and the remedy.
        """
        raise DataError(f"{cls.title} cannot read a new task from a folder; take a learner of other data")

    @classmethod
    def guess_new(cls, folder: Path) -> NewGuess | None:  # noqa: ARG003 - for datasets with a `reading_form`
        """What a learner for the new task in a folder would be made for; None where this dataset reads no such task.

        Raises:
            DataError: It looks like one and cannot be read.
        """
        return None

    @abstractmethod
    def sample(self, stream: Stream, indices: Sequence[int], include: Sequence[int] = ()) -> TaskBatch:
        """The tasks of these indices on `self.device`; the same indices give the same tasks, always.

        Args:
            stream: Which tasks.
            indices: Of each task in the stream.
            include: For classification, the number of a class that each task must have, as `classes` gives them;
                empty for any.
        """

    def draw_ahead(self, stream: Stream, indices: range, portion: int = 0) -> None:
        """Draw on the CPU what decides the next tasks, while the device is busy; where it costs little, nothing.

        Tasks that follow these may be drawn with them, for the meta-batches to come.

        Args:
            stream: Which tasks.
            indices: Those that `sample` will be asked for, without `include`.
            portion: Where `examples` will be asked instead, how many of them; else 0.
        """

    def classes(self, stream: Stream, indices: Sequence[int]) -> NDArray[np.int64]:  # noqa: ARG002
        """Numbers of the classes [tasks, ways] of tasks that were drawn without `include`, in the order of labels."""
        raise DataError(f"{self.title} has no classes, so no class of its tasks is the hardest")

    def examples(self, stream: Stream, indices: Sequence[int], count: int) -> TaskBatch:
        """Portions of `count` examples each, drawn from all classes at once, as ordinary training sees them.

        Returns:
            Tasks whose support is empty and whose query has the examples, labelled among `spec.classes` classes; for
            regression each example comes from another task.

        Raises:
            DataError: The classes of this stream are none that training has a label for.
        """
        if "classification" in self.task_kinds:
            raise DataError(f"{self.title} cannot be drawn from example by example")
        numbers = [index * count + place for index in indices for place in range(count)]
        query = self.sample(stream, numbers).query
        inputs, targets = (part[:, 0].reshape(len(indices), count, *part.shape[2:]) for part in query)
        return TaskBatch(Examples(inputs[:, :0], targets[:, :0]), Examples(inputs, targets))

    @abstractmethod
    def describe(self, stream: Stream, index: int) -> Description:
        """One task in words."""

    @abstractmethod
    def overview(self) -> Overview:
        """The whole dataset in words and numbers."""

    def distinct(self, stream: Stream) -> int | None:  # noqa: ARG002 - for datasets whose tasks come ready-made
        """How many different tasks a stream has, after which they come again; None where each is drawn anew."""
        return None

    def round_of(self, stream: Stream) -> int | None:  # noqa: ARG002 - for datasets with tasks of a person's own
        """How many tasks a stream goes round, each time with other examples of them; None where each draw is another
        task.

        A result is as sure as these are many, however often they are drawn.
        """
        return None

    def names(self, split: str) -> frozenset[str]:  # noqa: ARG002 - for datasets that have classes
        """Names of the classes of a split (train, validation or test); empty where there are none to tell apart."""
        return frozenset()

    def counts(self) -> tuple[Count, ...]:
        """Examples of each class, or each task of a person's own, in each split; empty where there is no counting."""
        return ()

    def shown_example(self, row: int) -> str:  # noqa: ARG002 - for datasets that read texts
        """What the example in this row of the inputs says, for a dataset of classes that reads texts; else ""."""
        return ""

    def truth(self, stream: Stream, index: int, inputs: Tensor) -> Tensor | None:  # noqa: ARG002
        """For regression whose function is known: its values [n, outputs] at inputs [n, features]; else None."""
        return None

    def floors(self) -> tuple[Floor, ...]:
        """Results that a learner must beat, the foremost first, known without training."""
        return ()
