"""One table of a person's own whose rows belong to classes that a column names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Examples, NewGuess, NewTask, Recognition, Spec
from workbench.tasks.files.encoding import Encoded, Encoder, fitted, schema_of
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.listing import Listing, unpacked_for_now
from workbench.tasks.files.tables import LABELS, TABLE_SUFFIXES, Table, guess_label, is_few, kind_of, read_table
from workbench.tasks.files.words import shown
from workbench.tasks.own.classes import Collection, OwnClasses
from workbench.tasks.own.new_tables import ids_of, new_label, new_table, targets_of
from workbench.tasks.own.new_task import normalized
from workbench.tasks.own.ready_made import PARTS, part_of_task
from workbench.tasks.own.rows import RowsConfig, by_class, find_columns, only_table, table_file, with_label
from workbench.words import counted, the

FORM = "one table, classes in a column"


class TableConfig(RowsConfig):
    """Where the table lies and what its columns are."""

    name: Literal["table"] = "table"
    path: Path | None = field(None, label="Table", help="A csv or tsv file, or the folder that it lies in: a row for "
                              "each example, and a column that says its class.")


class OneTable(OwnClasses):
    """N-way K-shot tasks from the rows of one csv or tsv file whose classes a column names.

    Numbers are taken as they are, with the median for a missing one and a feature that says so; a column of few values
    becomes a feature for each, and one of many that come back is hashed. Names of the rows and long texts are left out.
    A column `split` is honoured. Medians, values, mean and deviation are those of the training examples.
    """

    Config = TableConfig
    title = "Table"
    reading_form = "table"
    raw = "numbers and one-hot values of the columns of a table"
    input_kinds = frozenset({"vector"})

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """A small network on a few rows of each class."""
        return {"backbone.name": "mlp", "task.shots": 5}

    @classmethod
    def recognize(cls, listing: Listing) -> Recognition | None:
        """One table with a column whose values repeat, beside which no more than notes lie."""
        file = only_table(listing, TABLE_SUFFIXES)
        if file is None:
            return None
        try:
            table = read_table(listing.path(file))
        except DataError:  # what is called a table and cannot be read is best explained by its reader
            return Recognition("unknown", f"{shown(file.name)} cannot be read as a table", 0.2)
        label = guess_label(table)
        if label is None:
            return Recognition("unknown", f"{file.name} is a table, and in none of its columns values repeat as "
                               "those of a class do", 0.1)
        inputs = [name for name in table.columns
                  if name != label and kind_of(table, name) in ("numeric", "categorical")]
        if not inputs:
            return Recognition("unknown", f"{file.name} is a table without numbers or columns of few values", 0.05)
        many = len(set(table.texts(label)) - {""})
        why = f"{the('column', label)} of {file.name} has {counted(many, 'values')} in {counted(len(table), 'rows')}"
        return Recognition(FORM, why, 0.5, {"label": label}, otherwise=_as_tasks(table, label, inputs))

    @classmethod
    def what_it_reads(cls) -> str:
        """One file."""
        return "your csv or tsv file, a row for each example"

    @classmethod
    def read(cls, config: TableConfig) -> Collection:
        """Read and encode the table."""
        assert config.path is not None  # noqa: S101 - the caller has checked
        table = read_table(table_file(config.path.expanduser()), config.header)
        columns = find_columns(table, config)
        labelled, unlabelled = with_label(table, columns.label)
        schema = schema_of(labelled, columns.without)
        rows = by_class(schema.table, columns, config.held_out)

        def fit(training: NDArray[np.int64]) -> Encoded:
            encoder = schema.fit(rows.table, training)
            reading = {"form": cls.reading_form, "label": columns.label, "header": config.header, **encoder.reading}
            return Encoded(torch.from_numpy(encoder.encode(rows.table)), reading, encoder.facts(rows.table))

        return Collection(rows.classes, torch.empty(len(rows.table), 0), rows.owners,
                          [rows.table.where(row) for row in range(len(rows.table))], FORM, "rows",
                          (f"label {columns.label}", *table.notes, *schema.notes, *rows.notes),
                          (*unpacked_for_now(config.path), *table.problems, *unlabelled, *schema.problems,
                           *rows.problems), fit=fit, groups=rows.groups,
                          grouped_by=the("column", columns.group), label=columns.label)

    def normalization(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation of each feature over the training examples, but of names that were hashed."""
        return Encoder.of(self.labelled.reading).scaled(*super().normalization())

    @classmethod
    def read_new(cls, folder: Path, spec: Spec) -> NewTask:
        """`support.csv` with the columns that a learner was trained on and the label, and `query.csv` with the same
        columns, with or without the label."""
        encoder = Encoder.of(spec.reading)
        column = str(spec.reading["label"])
        needs = (f"a support.csv with the columns that it was trained on and {the('column', column)}, and a query.csv "
                 "with the same ones")
        support, query = (new_table(folder, part, spec.reading["header"], column, needs) for part in PARTS)
        label = new_label(support, query, spec, encoder.columns)
        support, problems = with_label(support, label)
        names, targets = targets_of(support, label)
        inputs, query_inputs = (torch.from_numpy(encoder.encode(table)) for table in (support, query))
        return NewTask(names, Examples(normalized(inputs, spec), targets), normalized(query_inputs, spec),
                       tuple(query.where(row) for row in range(len(query))),
                       (*support.problems, *query.problems, *problems, *encoder.unread(support),
                        *encoder.unread(query)),
                       query_ids=ids_of(query, (*encoder.columns, label)), decimal=query.sign)

    @classmethod
    def guess_new(cls, folder: Path) -> NewGuess | None:
        """A support whose rows belong to classes that a column names."""
        support = part_of_task(folder, "support", "auto", "class")
        if support is None:
            return None
        label = guess_label(support)
        if label is None or kind_of(support, label) == "numeric":
            return None
        encoder = fitted(support, [label]).encoder
        ways = len(set(support.texts(label)) - {""})
        return NewGuess(0.4, Spec("classification", "vector", (len(encoder.features),), ways, reading={
            "form": cls.reading_form, "label": label, "header": "auto", **encoder.reading}))


def _as_tasks(table: Table, label: str, inputs: Sequence[str]) -> str:
    """How to have a task for every value of a label that is not called as labels are, where rows end in a number that
    may be predicted in each from the other inputs; else nothing.
    """
    last = table.columns[-1]
    may_be_value = last in inputs and len(inputs) > 1 and kind_of(table, last) == "numeric" and not is_few(table, last)
    is_called_label = not set(re.split(r"[^a-z]+", label.lower())).isdisjoint(LABELS)
    if not table.has_header or not may_be_value or is_called_label:
        return ""
    asked = shlex.quote(f"dataset.task={label}")
    return (f"if each {label} is a task of its own, whose rows have a value to be predicted, pick Tables of tasks "
            f"(dataset.name=task_tables) with {label} as the task column ({asked})")
