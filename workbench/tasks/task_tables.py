"""Tables of a person's own that hold tasks: one user, patient, machine, assay or file is a task."""

from __future__ import annotations

from collections.abc import Mapping
from os.path import commonprefix
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.experiment.experiment import TaskConfig
from workbench.experiment.fields import Choice, field
from workbench.experiment.registry import TaskKind, found
from workbench.tasks.base import DataError, Examples, MeantDataError, Recognition, Spec
from workbench.tasks.files.encoding import Encoder, fitted
from workbench.tasks.files.listing import Listing, list_files, with_notes
from workbench.tasks.files.pictures import is_picture
from workbench.tasks.files.tables import Table, guess_label, kind_of
from workbench.tasks.own.new_task import NewTask
from workbench.tasks.own.ready_made import part_of_task
from workbench.tasks.own.task_forms import FORMS, WEAK_NAMES, Form, Layout, Said, lay_out
from workbench.tasks.own.task_rows import collected
from workbench.tasks.own.task_splits import TaskCollection, fitting_shape
from workbench.tasks.own.task_targets import CLASS_NAMES, in_order, is_of_classes
from workbench.tasks.own.tasks import OwnClassTasksConfig, OwnTasks, OwnValueTasksConfig

_CERTAINTY: dict[Form, float] = {"ready": 0.96, "long": 0.85, "columns": 0.8, "files": 0.6}


class TaskTableColumns(Choice):
    """Which columns are what; what is left empty is guessed."""

    layout: Literal["auto", "long", "files", "columns", "ready"] = field(
        "auto", label="Layout", help="How tasks lie in the tables.",
        choices={"auto": "Automatic", "long": "A task column", "files": "A table a task",
                 "columns": "A task in each column", "ready": "Support and query tables"})
    task: str | None = field(None, label="Task column", help="Column of the user, patient, machine or assay that each "
                             "row belongs to; empty for the one that is called so.")
    target: str | None = field(None, label="Target", help="Column that is predicted, or several with commas between "
                               "them; empty for the one that is called target, y, value or the like, else the last.")
    targets: str | None = field(None, label="Task columns", help="Columns that are a task each, with commas between "
                                "them, or what all their names begin with; empty for those with many missing cells.")
    group: str | None = field(None, label="Group", help="Column of what may lie on one side of the split only, such as "
                              "the patient or the compound; empty for none.")
    ignore: str | None = field(None, label="Ignore", help="Columns to pass over, with commas between them; empty for "
                               "none.")
    header: Literal["auto", "yes", "no"] = field(
        "auto", label="Header", help="Whether the first row names the columns.", advanced=True,
        choices={"auto": "Automatic", "yes": "Yes", "no": "No"})


class TaskTablesConfig(TaskTableColumns, OwnValueTasksConfig):
    """Where the tables lie and which columns are what."""

    name: Literal["task_tables"] = "task_tables"
    path: Path | None = field(None, label="Tables", help="A table with a column that names the task of each row, or "
                              "with a task in each column; or a folder with a table for each task, or with support.csv "
                              "and query.csv in a folder for each task.")


class ClassTaskTablesConfig(TaskTableColumns, OwnClassTasksConfig):
    """The same for targets that are classes."""

    name: Literal["class_task_tables"] = "class_task_tables"
    path: Path | None = field(None, label="Tables", help="A table with a column that names the task of each row, or "
                              "with a task in each column; or a folder with a table for each task, or with support.csv "
                              "and query.csv in a folder for each task.")


class TableTasks(OwnTasks):
    """What both kinds of tables of tasks share."""

    has_classes: ClassVar[bool]
    input_kinds = frozenset({"vector"})

    def normalization(self, training: NDArray[np.int64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation of each feature over the training rows, but of names that were hashed."""
        return Encoder.of(self.found.reading).scaled(*super().normalization(training))

    @classmethod
    def what_it_reads(cls) -> str:
        """A table or a folder of them."""
        return "the table or the folder of tables that holds your tasks"

    @classmethod
    def recognize(cls, listing: Listing) -> Recognition | None:
        """Tables in which tasks can be told apart and whose targets are of this kind."""
        if 2 * sum(is_picture(file.name) for file in listing.files) > len(listing.files):
            return None
        path = listing.root / listing.files[0].name if listing.is_file else listing.root
        is_asked_for = listing.said.get("form") == cls.name()
        layout = None
        try:
            config = with_notes(cls.Config.model_validate({"path": path}))
            said = _said(config)
            layout = lay_out(listing, said, at_a_glance=True)
            if layout is None or (layout.has_classes != cls.has_classes and not is_asked_for):
                return None
            found = collected(layout, said, with_classes=cls.has_classes)
        except DataError as error:
            if cls._is_meant(listing):
                raise MeantDataError(str(error)) from error
            if layout is not None and layout.form == "columns" and _lacks_features(layout):
                raise MeantDataError(
                    f"{layout.table.path}: {layout.why}, and no other column says anything that they could be "
                    "predicted from; add columns of features, such as descriptors or the SMILES of each compound"
                ) from error
            return None  # somebody else may read it; whoever names this dataset is told what is wrong
        return Recognition(FORMS[layout.form], layout.why, _certainty(layout, listing, said),
                           {"layout": layout.form, **_guessed(layout)}, cls._demanded(found))

    @classmethod
    def _is_meant(cls, listing: Listing) -> bool:
        """Whether what is wrong is to be said, because `dataset.toml` speaks of this dataset or of no other one."""
        form, fields = listing.said.get("form"), set(listing.said) - {"form"}
        if form is not None and form not in FORMS.values():
            return bool(form == cls.name())
        knowing = [kind for kind in found("dataset").values() if fields <= set(kind.Config.model_fields)]
        if fields <= set(cls.Config.model_fields):
            if all(issubclass(kind, TableTasks) for kind in knowing):
                return True
        elif knowing:
            return False
        try:
            layout = lay_out(listing, Said()) if fields else None
        except DataError:
            return False
        return layout is not None and layout.has_classes == cls.has_classes

    @classmethod
    def _demanded(cls, found: TaskCollection) -> dict[str, Any]:
        """Ways, shots and queries, where the tasks have not the examples for what suits others."""
        usual = TaskConfig(**{name.removeprefix("task."): value for name, value in cls.suggest(
            "classification" if cls.has_classes else "regression").items() if name.startswith("task.")})
        shape = fitting_shape(found.tasks, usual)
        fits = {f"task.{name}": getattr(shape, name) for name in ("shots", "queries")
                if found.is_ready_made or getattr(shape, name) != getattr(usual, name)}
        return {**({"task.ways": shape.ways} if cls.has_classes else {}), **fits}

    @classmethod
    def read_tasks(cls, config: Any) -> TaskCollection:
        """Read every table."""
        listing, said = list_files(config.path), _said(config)
        layout = lay_out(listing, said)
        if layout is None:
            raise DataError(f"{config.path}: nothing here looks like tables of tasks; name the column of the tasks in "
                            "dataset.task, the columns that are tasks in dataset.targets, or set dataset.layout")
        return collected(layout, said, with_classes=cls.has_classes)


class TaskTables(TableTasks):
    """Regression tasks in tables of your own: the readings of each machine, the ratings of each user, the values of
    each assay.

    A csv or tsv file with a column that names the task of each row, or with a task in each of many columns; a folder
    with a table for each task; or ready-made tasks with a `support.csv` and a `query.csv` in a folder each. Columns of
    names become features of zeros and ones, and missing numbers the median and a mark. Targets are scaled.
    """

    Config = TaskTablesConfig
    title = "Tables of tasks"
    task_kinds = frozenset({"regression"})
    has_classes = False

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """A small network and ten points."""
        return {"backbone.name": "mlp", "task.shots": 10, "task.queries": 10, "training.iterations": 5000}


class ClassTaskTables(TableTasks):
    """Classification tasks in tables of your own: what is active in each assay, what each user likes, what each
    patient's readings mean.

    Tables as for "Tables of tasks", whose targets are classes. Where a class is rare, learners are judged by AUROC or
    by balanced accuracy, for always answering with the other class is nearly always right and worth nothing.
    """

    Config = ClassTaskTablesConfig
    title = "Tables of tasks with classes"
    task_kinds = frozenset({"classification"})
    has_classes = True

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """Two classes and a small network."""
        return {"backbone.name": "mlp", "task.ways": 2, "task.shots": 5, "task.queries": 10,
                "training.iterations": 5000}


def _said(config: Any) -> Said:
    return Said(None if config.layout == "auto" else config.layout, config.task, config.target, config.targets,
                config.group, config.ignore, config.header)


def _guessed(layout: Layout) -> dict[str, str]:
    """The columns that were found, as fields of the dataset."""
    if layout.form == "columns":
        start = commonprefix(layout.targets)  # noqa: RUF071 - of names, not of paths
        is_all = start and sum(name.startswith(start) for name in layout.table.columns) == len(layout.targets)
        return {"targets": f"{start}*" if is_all else ",".join(layout.targets)}
    return {**({"task": layout.task} if layout.task else {}), "target": ",".join(layout.targets)}


def _certainty(layout: Layout, listing: Listing, said: Said) -> float:
    """More where nothing but tasks looks so, less where series by class or a table of classes may look so too."""
    folders = {file.folder for file in listing.files}
    if layout.form == "long" and layout.has_classes and layout.task.lower() in WEAK_NAMES:
        return 0.45
    if layout.form == "columns" and said.form is None and said.targets is None and _is_of_a_class(layout):
        return 0.4
    if layout.form == "columns" and _has_gaps(layout):
        return 0.95
    are_by_class = layout.form == "files" and len(folders) > 1 and not any(layout.splits)
    return 0.3 if are_by_class else _CERTAINTY[layout.form]


def _is_of_a_class(layout: Layout) -> bool:
    """Whether a table has a column of classes, beside which columns with gaps may be features: they are not numbered,
    nor do their names begin alike."""
    start = commonprefix(layout.targets).rstrip("0123456789")  # noqa: RUF071 - of names, not of paths
    called_so = {"target", "species", *CLASS_NAMES}
    label = guess_label(layout.table, [name for name in layout.targets if name.lower() not in called_so])
    are_alike = len(start) > 1 or all(name[len(start) :].isdigit() for name in layout.targets)
    return label is not None and not are_alike


def _lacks_features(layout: Layout) -> bool:
    """Whether sparse columns are all that a table has beside the names of its rows, so that nobody else reads it."""
    return _has_gaps(layout) and all(kind_of(layout.table, name) in ("id", "empty") for name in layout.table.columns
                                     if name not in layout.targets)


def _has_gaps(layout: Layout) -> bool:
    """Whether most rows lack a column before one that they have, as series do not, which end early at the most."""
    present = np.stack([~layout.table.missing(name) for name in layout.targets], axis=1)
    before = np.minimum.accumulate(present, axis=1)
    return bool((present & ~before).any(1).mean() > 0.5)


def read_new(folder: Path, spec: Spec) -> NewTask:
    """A new task for a learner of tables: `support.csv` with the columns of its data, `query.csv` without the target.

    The target is the column that is called as in training, else the last that is no input.

    Raises:
        DataError: A table is missing, or a column, or a number.
    """
    encoder, known = Encoder.of(spec.reading), spec.reading["targets"]
    support, query = (_read_part(folder, name, spec.reading["header"], known[0] if known else "class")
                      for name in ("support", "query"))
    inputs = [_normalized(encoder, table, spec) for table in (support, query)]
    targets = _targets(support, encoder, spec)
    if spec.kind == "classification":
        labels, names = _labels(support, targets[0], spec)
        examples = Examples(inputs[0], torch.from_numpy(labels))
    else:
        examples, names = Examples(inputs[0], _scaled(support, targets, spec)), ()
    return NewTask(names, examples, inputs[1], tuple(query.where(row) for row in range(len(query))),
                   (*support.problems, *query.problems))


def usual_spec(folder: Path) -> Spec | None:
    """What a learner for a new task of values would be made for; None without a named target of numbers."""
    support, query = (part_of_task(folder, name, "auto", "class") for name in ("support", "query"))
    if support is None or query is None:
        return None
    targets = [name for name in support.columns if name not in query.columns]
    if not support.has_header or not targets or any(
            kind_of(support, name) != "numeric" or is_of_classes(support, name) for name in targets):
        return None
    encoder = fitted(support, targets).encoder
    return Spec("regression", "vector", (len(encoder.features),), len(targets),
                reading={"form": "task_tables", "targets": targets, "header": "yes", **encoder.reading})


def _read_part(folder: Path, name: str, header: Any, column: str) -> Table:
    table = part_of_task(folder, name, header, column)
    if table is None:
        raise DataError(f"{folder} holds no {name}.csv; a new task for this learner is a support.csv with inputs and "
                        "targets and a query.csv with inputs, or folders called so that hold such tables")
    return table


def _normalized(encoder: Encoder, table: Table, spec: Spec) -> torch.Tensor:
    return (torch.from_numpy(encoder.encode(table)) - torch.tensor(spec.mean)) / torch.tensor(spec.deviation)


def _targets(support: Table, encoder: Encoder, spec: Spec) -> tuple[str, ...]:
    known = tuple(spec.reading["targets"])
    if known and set(known) <= set(support.columns):
        return known
    count = 1 if spec.kind == "classification" else spec.outputs
    others = [name for name in support.columns if name not in encoder.columns]
    if len(others) < count:
        wanted = f", called {', '.join(known)}" if known else ""
        raise DataError(f"{support.path} has no column of the target{wanted}; add it behind the inputs")
    return tuple(others[-count:])


def _labels(support: Table, target: str, spec: Spec) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels [rows], and the name of each: those of training where all tasks have the same."""
    numbers = support.numbers(target)
    texts = support.texts(target).tolist() if np.isnan(numbers).any() else [f"{one:.12g}" for one in numbers]
    if "" in texts:
        place = support.place(texts.index(""))
        raise DataError(f"{place}: the target {target} is empty; fill it in or delete the row")
    known = tuple(spec.reading.get("classes", ()))
    strange = next((row for row, one in enumerate(texts) if known and one not in known), None)
    if strange is not None:
        raise DataError(f"{support.place(strange)}: {texts[strange]!r} in the target {target} is "
                        f"none of the classes that the learner knows: {', '.join(known)}")
    names = known or in_order(set(texts))
    absent = [one for one in names if one not in texts]
    if absent or len(names) < 2:
        raise DataError(f"{support.path}: no row is of the class {absent[0]}; add one" if absent else
                        f"{support.path}: all rows are of the class {names[0]}; add some of another")
    return np.array([names.index(one) for one in texts], dtype=np.int64), names


def _scaled(support: Table, targets: tuple[str, ...], spec: Spec) -> torch.Tensor:
    """Target values [rows, outputs] as the learner takes them."""
    values = np.stack([support.numbers(name) for name in targets], axis=1)
    bad = np.argwhere(np.isnan(values))
    if len(bad):
        row, column = (int(one) for one in bad[0])
        cell, name = support.frame[targets[column]].iloc[row], targets[column]
        raise DataError(f"{support.place(row)}: {cell!r} in the target {name} is no number; "
                        "correct it or delete the line")
    middle, spread = (np.array(spec.reading.get(name, usual)) for name, usual in
                      (("target_mean", 0.0), ("target_deviation", 1.0)))
    return torch.from_numpy((values - middle) / spread).float()
