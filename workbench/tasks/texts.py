"""Texts of a person's own that belong to classes: in a table with a column of labels, or in a folder for each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import field_validator

from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Examples, NewGuess, NewTask, Recognition, Spec
from workbench.tasks.files.delimited import TABLE_SUFFIXES, Header, read_text
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.json_lines import JSON_LINES_SUFFIXES, read_json_lines
from workbench.tasks.files.listing import FileEntry, Listing, list_files, unpacked_for_now
from workbench.tasks.files.tables import Table, guess_label, kind_of, read_table
from workbench.tasks.files.text_features import (
    Ngrams,
    TextFeatures,
    dimensions,
    guess_embeddings,
    guess_text,
    is_whole,
)
from workbench.tasks.files.words import named, shown
from workbench.tasks.own.classes import Collection, OwnClasses
from workbench.tasks.own.folders import Found, Layout, recognize
from workbench.tasks.own.new_tables import ids_of, new_label, targets_of
from workbench.tasks.own.new_task import normalized, sorted_out
from workbench.tasks.own.ready_made import PARTS, part_files
from workbench.tasks.own.rows import RowsConfig, by_class, find_columns, only_table, table_file, with_label, without
from workbench.words import counted, listed, the

IN_TABLE, IN_FOLDERS = "texts in a table", "texts by class"
_TEXT_TABLES = TABLE_SUFFIXES | JSON_LINES_SUFFIXES
_PLAIN_TEXT = frozenset({".txt"})


class TextsConfig(RowsConfig):
    """Where the texts lie and how they become numbers."""

    name: Literal["texts"] = "texts"
    path: Path | None = field(None, label="Texts", help="A csv, tsv or jsonl file with a column of texts and one of "
                              "labels, or a folder with a folder of .txt files for each class.")
    text: str | None = field(None, label="Text column", help="The column of the texts; empty for one called text, "
                             "message or review, or else the longest.")
    inputs: Literal["auto", "text", "embeddings"] = field(
        "auto", label="Inputs", help="What a learner sees: counts of words, or embeddings in columns e0, e1 and so "
        "on or in a column of lists called embedding. Automatic takes embeddings where there are some.",
        choices={"auto": "Automatic", "text": "Text", "embeddings": "Embeddings"}, advanced=True)
    features: int = field(256, label="Features", help="Numbers that the words of a text are hashed to; a power of two.",
                          ge=16, le=65536, log=True)
    ngrams: Ngrams = field("words", label="Counted", help="Words and pairs of words, or runs of two to four "
                           "characters, which suit misspelt texts and scripts without spaces.",
                           choices={"words": "Words", "characters": "Characters"})

    @field_validator("features")
    @classmethod
    def _power_of_two(cls, features: int) -> int:
        if features & (features - 1):
            raise ValueError("takes a power of two, such as 256 or 1024")
        return features


class Texts(OwnClasses):
    """N-way K-shot tasks from texts that belong to classes.

    A text is seen as hashed counts of its words and pairs of words, or of its characters, scaled to length 1; or as an
    embedding where the data bring some. All features are scaled alike, as rare words would weigh most otherwise.
    """

    Config = TextsConfig
    title = "Texts"
    reading_form = "texts"
    raw = "hashed counts of words or characters of length 1, or embeddings"
    input_kinds = frozenset({"vector"})

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """A small network on a few texts of each class."""
        return {"backbone.name": "mlp", "task.shots": 5}

    def normalization(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """No mean, and one deviation for all features."""
        inputs = self.labelled.inputs[torch.from_numpy(np.sort(self.training_examples()))]
        size = inputs.double().square().mean().sqrt().item() or 1.0
        return (0.0,) * inputs.shape[1], (size,) * inputs.shape[1]

    @classmethod
    def recognize(cls, listing: Listing) -> Recognition | None:
        """A table with a column of texts or of embeddings and one of labels, or folders of .txt files."""
        file = only_table(listing, _TEXT_TABLES)
        if file is not None:
            return _recognized(listing.path(file))
        texts = listing.having(_PLAIN_TEXT)
        layout = recognize(_found(texts), "texts")
        if listing.is_file or len(layout.classes) < 2:
            return None
        why = (f"{len(texts):,} of {counted(len(listing.files), 'files', 'is a text', 'are texts')}, in "
               f"{counted(len(layout.classes), 'folders')}")
        return Recognition(IN_FOLDERS, why, 0.6 * len(texts) / len(listing.files))

    @classmethod
    def what_it_reads(cls) -> str:
        """A file, or a folder of folders."""
        return "your csv, tsv or jsonl file of texts, or a folder with a folder of .txt files for each class"

    @classmethod
    def read(cls, config: TextsConfig) -> Collection:
        """Read the texts and turn them into numbers."""
        assert config.path is not None  # noqa: S101 - the caller has checked
        path = config.path.expanduser()
        listing = list_files(path)
        if not listing.is_file and not listing.having(_TEXT_TABLES) and listing.having(_PLAIN_TEXT):
            return _read_folders(listing, config)
        return _read_table(read_texts(table_file(path, _TEXT_TABLES, "csv, tsv or jsonl file and no .txt files"),
                                      config.header), config)

    @classmethod
    def read_new(cls, folder: Path, spec: Spec) -> NewTask:
        """Either `support` and `query` as csv, tsv or jsonl with the columns that a learner was trained on, the label
        in `support` at least; or a folder of .txt files for each class and more of them in `unlabelled`."""
        features = TextFeatures.of(spec.reading)
        paths = part_files(folder, _TEXT_TABLES)
        if not paths:
            return _new_of_folders(folder, spec, features)
        tables = []
        for part in PARTS:
            if part not in paths:
                raise DataError(f"{folder} holds no {part}.csv, .tsv or .jsonl; a new task is a support with texts and "
                                "labels and a query with texts")
            tables.append(read_texts(paths[part], spec.reading["header"]))
            tables[-1].check_has(features.columns, "which the learner was trained on")
        label = new_label(tables[0], tables[1], spec, features.columns)
        labelled, problems = with_label(tables[0], label)
        (support, short), (query, lacking) = (_whole(table, features) for table in (labelled, tables[1]))
        for table in (support, query):
            if not len(table):
                raise DataError(f"{table.path} holds no whole row in {listed(features.columns, 3)}; write some into it")
        names, targets = targets_of(support, label)
        inputs, query_inputs = (normalized(torch.from_numpy(features.encode(table)), spec)
                                for table in (support, query))
        return NewTask(names, Examples(inputs, targets), query_inputs,
                       tuple(query.where(row) for row in range(len(query))),
                       (*support.problems, *query.problems, *problems, *short, *lacking),
                       query_ids=ids_of(query, (*features.columns, label)))

    @classmethod
    def guess_new(cls, folder: Path) -> NewGuess | None:
        """Texts, in tables or in folders."""
        path = part_files(folder, _TEXT_TABLES).get("support")
        if path is None:
            listing = list_files(folder)
            classes, _ = sorted_out(_found(listing.having(_PLAIN_TEXT)))
            if not listing.files or len(listing.having(_PLAIN_TEXT)) < len(listing.files):
                return None
            label, features, ways = "label", TextFeatures("text"), len(classes)
        else:
            support = read_texts(path, "auto")
            text, embeddings = guess_text(support) or "", guess_embeddings(support)
            found = guess_label(support, {text, *embeddings})
            if found is None or not (text or embeddings):
                return None
            label, ways = found, len(set(support.texts(found)))
            features = TextFeatures(text, embeddings, dimensions(support, embeddings) if embeddings else 256)
        return NewGuess(0.6, Spec("classification", "vector", (features.features,), max(2, ways), reading={
            "form": cls.reading_form, "label": label, "header": "auto", **features.reading}))


def read_texts(path: Path, header: Header) -> Table:
    """A table of texts, whatever its form.

    Raises:
        DataError: It cannot be read.
    """
    return read_json_lines(path) if path.suffix.lower() in JSON_LINES_SUFFIXES else read_table(path, header)


def _recognized(path: Path) -> Recognition | None:
    try:
        table = read_texts(path, "auto")
    except DataError:
        is_ours = path.suffix.lower() in JSON_LINES_SUFFIXES  # so its reader says what is wrong
        return Recognition("unknown", f"{shown(path.name)} cannot be read as JSON lines", 0.2) if is_ours else None
    embeddings, text = guess_embeddings(table), guess_text(table)
    label = guess_label(table, {*embeddings, text or ""})
    if label is None or not (embeddings or text):
        is_ours = path.suffix.lower() in JSON_LINES_SUFFIXES  # so its reader says what is missing
        return Recognition("unknown", f"{path.name} lacks a column of texts or of labels", 0.1) if is_ours else None
    settings = {"label": label} if embeddings else {"label": label, "text": text}
    many = len(set(table.texts(label)) - {""})
    what = f"columns {embeddings[0]} to {embeddings[-1]} are embeddings" if len(embeddings) > 1 else \
        f"{the('column', embeddings[0] if embeddings else text or '')} holds {'embeddings' if embeddings else 'texts'}"
    numeric = [name for name in table.columns
               if name not in (label, text, *embeddings) and kind_of(table, name) == "numeric"]
    # A description beside measurements is no reason to pass over these.
    certainty = 0.75 if embeddings or len(numeric) <= 2 else 0.4
    why = f"{what} and {the('column', label)} has {counted(many, 'values')} in {counted(len(table), 'rows')}"
    return Recognition(IN_TABLE, why, certainty, settings)


def _read_table(table: Table, config: TextsConfig) -> Collection:
    embeddings = guess_embeddings(table) if config.inputs != "text" else ()
    if config.inputs == "embeddings" and not embeddings:
        raise DataError(f"{table.path} has no columns e0, e1 and so on and no column of lists called embedding; set "
                        "dataset.inputs to text")
    said, *others = table.spelled([config.text or "", config.label or "", config.group or "", *config.ignored()])
    table.check_has([said] if said else [], "which dataset.text names")
    text = said or guess_text(table, others) or ""
    if not (text or embeddings):
        raise DataError(f"{table.path} has no column of texts that are mostly different and longer than 20 letters; "
                        f"name it in dataset.text. Its columns are {listed(table.columns, 12)}")
    columns = find_columns(table, config, (*embeddings, text))
    labelled, problems = with_label(table, columns.label)
    size = dimensions(labelled, embeddings) if embeddings else config.features
    features = TextFeatures("" if embeddings else text, embeddings, size, config.ngrams)
    whole, lacking = _whole(labelled, features)
    rows = by_class(whole, columns, config.held_out)
    reading = {"form": Texts.reading_form, "label": columns.label, "header": config.header, **features.reading}
    what = f"embeddings of {size}" if embeddings else f"{config.ngrams} hashed to {size}"
    return Collection(rows.classes, torch.from_numpy(features.encode(rows.table)), rows.owners,
                      [rows.table.where(row) for row in range(len(rows.table))], IN_TABLE, "texts",
                      (what, f"label {columns.label}", *table.notes, *rows.notes),
                      (*unpacked_for_now(config.path or table.path), *table.problems, *problems, *lacking,
                       *rows.problems), reading,
                      words=tuple(rows.table.texts(text)) if text else (), groups=rows.groups,
                      grouped_by=the("column", columns.group), label=columns.label)


def _whole(table: Table, features: TextFeatures) -> tuple[Table, list[str]]:
    """The rows that have what is to be seen of them, and a sentence on the others."""
    kept = is_whole(table, features)
    if kept.all():
        return table, []
    return table.rows(kept), [without(table, ~kept, "whole embedding" if features.embeddings else "text")]


def _found(files: Sequence[FileEntry]) -> Found:
    folders: dict[str, list[FileEntry]] = {}
    for file in files:
        folders.setdefault(file.folder, []).append(file)
    return Found(dict(sorted(folders.items())), ())


def _read_folders(listing: Listing, config: TextsConfig) -> Collection:
    layout: Layout = recognize(_found(listing.having(_PLAIN_TEXT)), "texts")
    files = [(owner, file) for owner, one in enumerate(layout.classes) for file in one.files]
    texts, kept, broken = _read_files(listing.root, [file for _, file in files])
    if not texts:
        raise DataError(f"{listing.root} holds no texts in folders of their class; put the .txt files of each class "
                        f"into a folder{f'. {broken[0]}' if broken else ''}")
    features = TextFeatures("text", (), config.features, config.ngrams)
    reading = {"form": Texts.reading_form, "label": "label", "header": "auto", **features.reading}
    return Collection(layout.classes, torch.from_numpy(features.hashed(texts)),
                      np.array([files[i][0] for i in kept], dtype=np.int64), [files[i][1].name for i in kept],
                      IN_FOLDERS, "texts", (f"{config.ngrams} hashed to {config.features}", *layout.notes),
                      (*listing.problems, *layout.problems,
                       *named(broken, "{} more texts cannot be read and were left out")), reading, words=tuple(texts))


def _read_files(root: Path, files: Sequence[FileEntry]) -> tuple[list[str], list[int], list[str]]:
    """The texts that can be read, which files they are, and what is wrong with the others."""
    texts: list[str] = []
    kept: list[int] = []
    problems: list[str] = []
    for number, file in enumerate(files):
        try:
            text, said = read_text(root / file.name, "plain text")
        except DataError as error:
            problems.append(f"left out: {error}")
            continue
        texts.append(text)
        kept.append(number)
        problems += said
    return texts, kept, problems


def _new_of_folders(folder: Path, spec: Spec, features: TextFeatures) -> NewTask:
    if features.embeddings:
        raise DataError(f"{folder} holds no support and query as csv, tsv or jsonl; this learner was trained on "
                        "embeddings, which plain texts do not bring along")
    listing = list_files(folder)
    labelled, unlabelled = sorted_out(_found(listing.having(_PLAIN_TEXT)))
    parts = {name: _read_files(folder, files) for name, files in labelled.items()}
    problems = [problem for _, _, said in parts.values() for problem in said]
    support = {name: texts for name, (texts, _, _) in parts.items() if texts}
    if len(support) < 2:
        why = f". {listed(problems, 3)}" if problems else ""
        raise DataError(f"{folder} holds readable texts of {counted(len(support), 'classes')} and a task needs "
                        f"two or more; put a few .txt files of each class into a folder with its name{why}")
    texts, kept, said = _read_files(folder, unlabelled)
    if not texts:
        raise DataError(f"{folder} holds no texts to predict; put .txt files into it beside the class folders, or into "
                        "a folder called unlabelled" + (f". {listed(said, 3)}" if said else ""))
    labels = np.repeat(np.arange(len(support)), [len(one) for one in support.values()])
    inputs = features.hashed([text for one in support.values() for text in one])
    return NewTask(tuple(map(shown, support)),
                   Examples(normalized(torch.from_numpy(inputs), spec), torch.from_numpy(labels)),
                   normalized(torch.from_numpy(features.hashed(texts)), spec),
                   tuple(shown(unlabelled[i].name) for i in kept), (*listing.problems, *problems, *said))
