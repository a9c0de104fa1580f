"""One table of a person's own whose rows belong to classes that a column names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import DataError, Examples, Recognition, Spec
from workbench.tasks.files.encoding import Encoded, Encoder, fitted, schema_of
from workbench.tasks.files.listing import FileEntry, Listing, list_files
from workbench.tasks.files.tables import TABLE_SUFFIXES, Table, guess_label, kind_of, read_table
from workbench.tasks.own.classes import Collection, OwnClasses
from workbench.tasks.own.folders import listed
from workbench.tasks.own.new_task import NewTask, normalized
from workbench.tasks.own.ready_made import part_of_task
from workbench.tasks.own.rows import RowsConfig, by_class, find_columns, with_label

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
        except DataError as error:  # what is called a table and cannot be read is best explained by its reader
            return Recognition("unknown", str(error), 0.2)
        label = guess_label(table)
        if label is None:
            return Recognition("unknown", f"{file.name} is a table, and in none of its columns values repeat as "
                               "those of a class do", 0.1)
        if not any(kind_of(table, name) in ("numeric", "categorical") for name in table.columns if name != label):
            return Recognition("unknown", f"{file.name} is a table without numbers or columns of few values", 0.05)
        many = len(set(table.texts(label)) - {""})
        return Recognition(FORM, f"the column {label} of {file.name} has {many:,} values in {len(table):,} rows", 0.5,
                           {"label": label})

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
            reading = {"form": "table", "label": columns.label, "header": config.header, **encoder.reading}
            return Encoded(torch.from_numpy(encoder.encode(rows.table)), reading, encoder.facts)

        return Collection(rows.classes, torch.empty(len(rows.table), 0), rows.owners,
                          [rows.table.where(row) for row in range(len(rows.table))], FORM, "rows",
                          (*schema.notes, *rows.notes),
                          (*table.problems, *unlabelled, *schema.problems, *rows.problems), fit=fit,
                          groups=rows.groups, grouped_by=f"the column {columns.group}")

    def normalization(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation of each feature over the training examples, but of names that were hashed."""
        return Encoder.of(self.labelled.reading).scaled(*super().normalization())


def only_table(listing: Listing, suffixes: frozenset[str]) -> FileEntry | None:
    """The one table of a listing, where notes at most lie beside it."""
    tables = listing.having(suffixes)
    others = [file for file in listing.files if file.suffix not in (*suffixes, ".md", ".txt", ".pdf", ".html", "")]
    return tables[0] if len(tables) == 1 and not others else None


def table_file(path: Path, suffixes: frozenset[str] = TABLE_SUFFIXES, what: str = "csv or tsv file") -> Path:
    """The table at a path, or the only one below a folder or in a zip.

    Raises:
        DataError: There is none, or more than one.
    """
    listing = list_files(path)
    tables = listing.files if listing.is_file else tuple(listing.having(suffixes))
    if len(tables) == 1:
        return listing.path(tables[0])
    if not tables:
        raise DataError(f"{path} holds no {what}; name the file itself")
    raise DataError(f"{path} holds {len(tables):,} tables: {listed([file.name for file in tables], 5)}; name one of "
                    "them in dataset.path")


def read_new(folder: Path, spec: Spec) -> NewTask:
    """A new task for a learner of tables: `support.csv` with the columns that it was trained on and the label, and
    `query.csv` with the same columns, with or without the label.

    Raises:
        DataError: A file or a column is missing, or a cell is no number.
    """
    encoder = Encoder.of(spec.reading)
    support, query = (new_table(folder, name, spec) for name in ("support", "query"))
    label = new_label(support, query, spec, encoder.columns)
    support, problems = with_label(support, label)
    names, targets = targets_of(support, label)
    inputs, query_inputs = (torch.from_numpy(encoder.encode(table)) for table in (support, query))
    return NewTask(names, Examples(normalized(inputs, spec), targets), normalized(query_inputs, spec),
                   tuple(query.where(row) for row in range(len(query))),
                   (*support.problems, *query.problems, *problems))


def usual_spec(folder: Path) -> Spec | None:
    """What a learner for this new task would be made for; None where its support has no column of classes."""
    support = part_of_task(folder, "support", "auto", "class")
    if support is None:
        return None
    label = guess_label(support)
    if label is None or kind_of(support, label) == "numeric":
        return None
    encoder = fitted(support, [label]).encoder
    return Spec("classification", "vector", (len(encoder.features),), len(set(support.texts(label)) - {""}),
                reading={"form": "table", "label": label, "header": "auto", **encoder.reading})


def new_table(folder: Path, name: str, spec: Spec) -> Table:
    """A table of a new task.

    Raises:
        DataError: It is not there or cannot be read.
    """
    table = part_of_task(folder, name, spec.reading["header"], str(spec.reading["label"]))
    if table is None:
        raise DataError(f"{folder} holds no {name}.csv; a new task for this learner is a support.csv with the columns "
                        f"that it was trained on and the column {spec.reading['label']}, and a query.csv with the same "
                        "ones, or folders called so that hold such tables")
    return table


def new_label(support: Table, query: Table, spec: Spec, used: tuple[str, ...]) -> str:
    """The column of the support that says the class: the one that it was in training, or the only one that is new.

    Raises:
        DataError: There is none, or it is not clear which.
    """
    label = str(spec.reading["label"])
    if label in support.columns:
        return label
    new = [name for name in support.columns if name not in used]
    guess = new[0] if len(new) == 1 else guess_label(support, {*used, *query.columns})
    if guess is None:
        raise DataError(f"{support.path} has no column {label}, which says the class of each row; its columns are "
                        f"{listed(support.columns, 12)}")
    return guess


def targets_of(support: Table, label: str) -> tuple[tuple[str, ...], torch.Tensor]:
    """Names of the classes and the number [rows] of each row's."""
    cells = support.texts(label)
    names = sorted(set(cells))
    return tuple(names), torch.tensor([names.index(cell) for cell in cells])
