"""Finds out what a folder, a zip or a file is, by asking every dataset what it takes it for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from workbench.experiment.registry import UnknownNameError, find, found
from workbench.tasks.base import Recognition, TaskSource
from workbench.tasks.files.dataset_toml import NAME, overridden
from workbench.tasks.files.each import NO_RIGHT, may_be_read
from workbench.tasks.files.errors import DataError, MeantDataError
from workbench.tasks.files.listing import Listing, list_files
from workbench.tasks.files.words import shown
from workbench.tasks.own.new_task import why_new_task
from workbench.tasks.own.ready_made import unfit_tasks
from workbench.words import counted, listed

NEW_TASK, UNKNOWN = "new task", "unknown"
_REMEDIES = {
    ".csv .tsv .tab .data": "put all rows into one table, or give at least three tables the same columns, so that each "
                            "is a task; files with a series each belong into a folder for each class, of which there "
                            "must be two or more",
    ".txt": "put the texts of each class into a folder with the name of the class",
    ".xlsx .xls .ods .parquet .feather .sav .dta .rds": "save them as CSV in UTF-8",
    ".mat .h5 .hdf5 .pt .pth .pkl .pickle .safetensors .tfrecord": "save arrays x and y as .npz, with numpy.savez",
    ".json .xml .yaml .html": "save a row for each example as CSV or as JSON lines (.jsonl)",
    ".pdf .doc .docx .odt .rtf": "save texts as .txt in a folder for each class, or as CSV with a column of labels",
    ".zip .gz .tar .tgz .bz2 .xz .7z .rar": "unpack them and open the folder",
    ".mp4 .avi .mov .mkv .webm": "save pictures out of them in a folder for each class",
}
"""What to do about files that nobody reads, by their suffixes."""


@dataclass(frozen=True)
class Recognized:
    """What a person's data are.

    Attributes:
        path: The file or folder.
        form: In words; "new task" for a single task that a learner can adapt to, "unknown" for nothing known.
        dataset: Name of the dataset that reads it; empty where none does.
        why: What shows it, as a sentence without its full stop and without the path; empty where the problems say it.
        settings: Fields of the dataset that were guessed, `path` among them.
        problems: What lies there that cannot be opened, and why nobody can read data that are nothing known.
        experiment: Other fields of the experiment that the data demand, by their dotted names.
        otherwise: As in `Recognition`.
    """

    path: Path
    form: str
    dataset: str
    why: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    experiment: dict[str, Any] = field(default_factory=dict)
    otherwise: str = ""


def recognize_data(path: Path) -> Recognized:
    """Name the form of a folder, a zip or a file.

    Raises:
        DataError: It is not there, cannot be opened, is empty, or its `dataset.toml` will not do.
    """
    path = path.expanduser()
    listing = list_files(path)
    if not listing.files:
        raise DataError(f"{path} is empty; put pictures, tables, recordings, texts or arrays into it" +
                        (f". {listing.problems[0]}" if listing.problems else ""))
    said, otherwise = listing.said.get("form"), ""
    candidates, refusals = _candidates(listing)
    if said is not None:
        name, recognition = _named(str(said), candidates, path)
        why = f"{NAME} says so"
    elif not listing.is_file and (why := why_new_task(listing.root)):
        return Recognized(path, NEW_TASK, "", why, problems=listing.problems)
    elif lack := unfit_tasks(listing.files):
        raise DataError(f"{path}: {lack}")
    elif candidates:
        name, recognition = _surest(candidates, listing)
        why, otherwise = recognition.why, recognition.otherwise
    else:
        shut = next((file.name for file in listing.files if not may_be_read(listing.path(file))), "")
        why = "" if refusals else f"{shown(shut)} {NO_RIGHT}" if shut else _unread(listing)
        return Recognized(path, UNKNOWN, "", why, problems=(*refusals, *listing.problems))
    _check_what_is_said(name, listing)
    own = {key: value for key, value in listing.said.items() if key != "form"}
    return Recognized(path, recognition.form, name, why, {**recognition.settings, **own, "path": str(path)},
                      listing.problems, dict(recognition.experiment), otherwise)


def _unread(listing: Listing) -> str:
    """What kinds of files there are, and what to do about the kind that most are, where that is known."""
    kinds = sorted(listing.suffixes.items(), key=lambda one: (-len(one[1]), one[0]))
    said = [f"{counted(len(files), 'files', 'ends', 'end')} in {suffix}" if suffix else
            counted(len(files), "files", "has no ending", "have no ending") for suffix, files in kinds]
    remedy = next((remedy for suffixes, remedy in _REMEDIES.items() if kinds[0][0] in suffixes.split()), "")
    if len(kinds[0][1]) == 1:
        remedy = remedy.replace("them", "it", 1)
    return f"{listed(said, 5)}, which no dataset reads{f': {remedy}' if remedy else ''}"


def _surest(candidates: dict[str, Recognition], listing: Listing) -> tuple[str, Recognition]:
    """The dataset that is surest, among those that have the fields which `dataset.toml` speaks of, if any has."""
    fields = set(listing.said) - {"form"}
    fitting = {name: guess for name, guess in candidates.items()
               if fields <= set(find("dataset", name).Config.model_fields)}
    return max((fitting or candidates).items(), key=lambda one: one[1].certainty)


def _check_what_is_said(name: str, listing: Listing) -> None:
    """Raise DataError where `dataset.toml` names a field that the dataset does not have, or gives a wrong value."""
    if listing.said:
        overridden(find("dataset", name).Config(name=name), listing.said, listing.root / NAME)


def _candidates(listing: Listing) -> tuple[dict[str, Recognition], tuple[str, ...]]:
    """What each dataset that reads these files takes them for, and why some that tried could not read them."""
    guesses: dict[str, Recognition] = {}
    refusals: list[str] = []
    for name, kind in found("dataset").items():
        try:
            guess = cast("type[TaskSource]", kind).recognize(listing)
        except MeantDataError:
            raise
        except DataError as error:
            refusals.append(str(error))
            continue
        if guess is not None:
            guesses[name] = guess
    return guesses, tuple(dict.fromkeys(refusals))


def _named(said: str, candidates: dict[str, Recognition], path: Path) -> tuple[str, Recognition]:
    """The dataset that `dataset.toml` asks for, by its name or by the name of its form."""
    for name, guess in candidates.items():
        if said in (name, guess.form):
            return name, guess
    readable = {name: kind for name, kind in found("dataset").items() if "path" in kind.Config.model_fields}
    if said in readable:
        return said, Recognition(readable[said].title, "", 1.0)
    error = UnknownNameError("form", said, {name: kind.title for name, kind in readable.items()})
    raise DataError(f"{path / NAME}: form: {error}")
