"""Tables of a person's own that hold tasks: one user, patient, machine, assay or file is a task."""

from __future__ import annotations

from collections.abc import Mapping
from os.path import commonprefix
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.experiment.experiment import TaskConfig
from workbench.experiment.fields import Choice, field
from workbench.experiment.registry import TaskKind, found
from workbench.tasks.base import NewGuess, NewTask, Recognition, Spec
from workbench.tasks.files.delimited import Header
from workbench.tasks.files.encoding import Encoder, is_notation
from workbench.tasks.files.errors import DataError, MeantDataError
from workbench.tasks.files.listing import Listing, list_files, with_notes
from workbench.tasks.files.pictures import is_picture
from workbench.tasks.files.series_rows import FEWEST_STEPS, end_early
from workbench.tasks.files.tables import guess_label, kind_of
from workbench.tasks.own.fields import header_of_tables, ignored_columns
from workbench.tasks.own.new_tables import read_new_rows, spec_of_values
from workbench.tasks.own.task_forms import FORMS, WEAK_NAMES, Form, Layout, Said, lay_out, task_columns
from workbench.tasks.own.task_rows import collected
from workbench.tasks.own.task_splits import TaskCollection, fitting_shape
from workbench.tasks.own.task_targets import CLASS_NAMES
from workbench.tasks.own.tasks import OwnClassTasksConfig, OwnTasks, OwnValueTasksConfig

_CERTAINTY: dict[Form, float] = {"ready": 0.96, "long": 0.85, "columns": 0.8, "files": 0.6}


class TaskTableColumns(Choice):
    """Where the tables lie and which columns are what; what is left empty is guessed."""

    path: Path | None = field(None, label="Tables", help="A table with a column that names the task of each row, or "
                              "with a task in each column; or a folder with a table for each task, or with support.csv "
                              "and query.csv in a folder for each task.")
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
    ignore: str | None = ignored_columns()
    header: Header = header_of_tables()


class TaskTablesConfig(TaskTableColumns, OwnValueTasksConfig):
    """For targets that are values."""

    name: Literal["task_tables"] = "task_tables"


class ClassTaskTablesConfig(TaskTableColumns, OwnClassTasksConfig):
    """For targets that are classes."""

    name: Literal["class_task_tables"] = "class_task_tables"


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
            if said.form is None and said.targets is None and not is_asked_for and _are_ends_of_series(layout):
                return None
            found = collected(layout, said, with_classes=cls.has_classes)
        except DataError as error:
            if cls._is_meant(listing):
                raise MeantDataError(str(error)) from error
            if layout is not None and layout.form == "columns" and _lacks_features(layout):
                sentence = (f"{layout.table.path}: {layout.why}, and no other column says anything that they could be "
                            "predicted from; add columns of features, such as descriptors or the SMILES of each "
                            "compound")
                if _has_gaps(layout):
                    raise MeantDataError(sentence) from error
                return Recognition("unknown", sentence, 0.52)  # more than a table of classes; series may look so too
            return None  # somebody else may read it; whoever names this dataset is told what is wrong
        return Recognition(FORMS[layout.form], layout.why, _certainty(layout, listing, said),
                           {"layout": layout.form, **_guessed(layout)}, cls._demanded(found))

    @classmethod
    def read_new(cls, folder: Path, spec: Spec) -> NewTask:
        """`support.csv` with the columns of its data, and `query.csv` without the target."""
        return read_new_rows(folder, spec)

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
    reading_form = "task_tables"
    task_kinds = frozenset({"regression"})
    has_classes = False

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """A small network and ten points."""
        return {"backbone.name": "mlp", "task.shots": 10, "task.queries": 10, "training.iterations": 5000}

    @classmethod
    def guess_new(cls, folder: Path) -> NewGuess | None:
        """A support with a named target of numbers."""
        spec = spec_of_values(folder)
        return None if spec is None else NewGuess(0.5, spec)


class ClassTaskTables(TableTasks):
    """Classification tasks in tables of your own: what is active in each assay, what each user likes, what each
    patient's readings mean.

    Tables as for "Tables of tasks", whose targets are classes. Where a class is rare, learners are judged by AUROC or
    by balanced accuracy, for always answering with the other class is nearly always right and worth nothing.
    """

    Config = ClassTaskTablesConfig
    title = "Tables of tasks with classes"
    reading_form = "class_task_tables"
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
    if layout.form == "columns" and said.form is None and said.targets is None:
        if not task_columns(layout.table, said):
            return _certainty_of_panel(layout)
        if _is_of_a_class(layout):
            return 0.4
    if layout.form == "columns" and _has_gaps(layout):
        return 0.95
    are_by_class = layout.form == "files" and len(folders) > 1 and not any(layout.splits)
    return 0.3 if are_by_class else _CERTAINTY[layout.form]


def _certainty_of_panel(layout: Layout) -> float:
    """How surely answers of yes and no are tasks rather than features of a class: more where a notation of compounds
    stands beside them, or where no other column says a class."""
    has_notation = any(is_notation(name) for name in layout.table.columns if name not in layout.targets)
    return 0.6 if has_notation or guess_label(layout.table, layout.targets) is None else 0.3


def _is_of_a_class(layout: Layout) -> bool:
    """Whether a table has a column of classes, beside which columns with gaps may be features: they are not numbered,
    nor do their names begin alike."""
    start = commonprefix(layout.targets).rstrip("0123456789")  # noqa: RUF071 - of names, not of paths
    called_so = {"target", "species", *CLASS_NAMES}
    label = guess_label(layout.table, [name for name in layout.targets if name.lower() not in called_so])
    are_alike = len(start) > 1 or all(name[len(start) :].isdigit() for name in layout.targets)
    return label is not None and not are_alike


def _lacks_features(layout: Layout) -> bool:
    """Whether the targets are all that a table has beside the names of its rows."""
    return all(kind_of(layout.table, name) in ("id", "empty") for name in layout.table.columns
               if name not in layout.targets)


def _present(layout: Layout) -> NDArray[np.bool_]:
    """[rows, targets] whether a row has a target."""
    return np.stack([~layout.table.missing(name) for name in layout.targets], axis=1)


def _are_ends_of_series(layout: Layout) -> bool:
    """Whether columns with gaps are those that short series do not reach: without names, or too many for chance."""
    ends = FEWEST_STEPS if layout.table.has_header else 3
    return layout.form == "columns" and end_early(_present(layout), ends)


def _has_gaps(layout: Layout) -> bool:
    """Whether most rows lack a column before one that they have, as series do not, which end early at the most."""
    present = _present(layout)
    before = np.minimum.accumulate(present, axis=1)
    return bool((present & ~before).any(1).mean() > 0.5)
