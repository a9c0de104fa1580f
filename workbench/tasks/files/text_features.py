"""How texts become numbers: hashed words or characters, or embeddings that the data bring along."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.tasks.files.errors import DataError
from workbench.tasks.files.tables import Table, kind_of
from workbench.words import counted, listed, the

Ngrams = Literal["words", "characters"]

_TEXTS = ("text", "texts", "message", "sentence", "content", "review", "comment", "utterance", "question", "body",
          "title", "description")
_EMBEDDING = re.compile(r"(e|emb|embed|embedding|dim)[ _.-]?(\d+)", re.IGNORECASE)
_EMBEDDING_LIST = ("embedding", "embeddings", "vector")
_FEWEST_DIMENSIONS, _FEWEST_LETTERS = 8, 20


@dataclass(frozen=True)
class TextFeatures:
    """What of a text a learner sees.

    Attributes:
        text: The column of the texts; empty where embeddings are given.
        embeddings: The columns of the embeddings, a number in each, or one column of lists; empty for texts.
        features: Numbers that a text is hashed to.
        ngrams: Whether words and pairs of them are counted, or runs of two to four characters.
    """

    text: str
    embeddings: tuple[str, ...] = ()
    features: int = 256
    ngrams: Ngrams = "words"

    @classmethod
    def of(cls, reading: Mapping[str, Any]) -> TextFeatures:
        """What was written as `reading`."""
        return cls(reading["text"], tuple(reading["embeddings"]), reading["features"], reading["ngrams"])

    @property
    def reading(self) -> dict[str, Any]:
        """Plain values that `of` reads."""
        return {**asdict(self), "embeddings": list(self.embeddings)}

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that are read."""
        return self.embeddings or (self.text,)

    def encode(self, table: Table) -> NDArray[np.float32]:
        """[rows, features] of a table.

        Raises:
            DataError: A column is missing, or an embedding is none.
        """
        table.check_has(self.columns, "which the learner was trained on")
        if not self.embeddings:
            return self.hashed([str(text) for text in texts_of(table, self.text)])
        found = _embeddings(table, self.embeddings)
        broken = np.flatnonzero(np.isnan(found).any(axis=1)).tolist()
        if broken:
            raise DataError(f"{table.place(broken[0])}: the embedding in {_named(self.embeddings)} "
                            "is not whole; correct it or delete the line")
        if found.shape[1] != self.features:
            raise DataError(f"{table.path} has embeddings of {counted(found.shape[1], 'numbers')} in "
                            f"{_named(self.embeddings)} and the learner was trained on {self.features}; embed the "
                            "texts as they were then")
        return found.astype(np.float32)

    def hashed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[texts, features] hashed counts of words or characters, each text of length 1; zero where there are none."""
        from sklearn.feature_extraction.text import HashingVectorizer  # noqa: PLC0415 - slow to import, seldom needed

        analyzer, lengths = ("word", (1, 2)) if self.ngrams == "words" else ("char_wb", (2, 4))
        counts = HashingVectorizer(n_features=self.features, analyzer=analyzer, ngram_range=lengths, norm="l2",
                                   dtype=np.float32)
        hashed: NDArray[np.float32] = counts.transform(texts).toarray()
        return hashed


def is_whole(table: Table, features: TextFeatures) -> NDArray[np.bool_]:
    """[rows] whether a row has what is to be seen of it."""
    if features.embeddings:
        whole: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(_embeddings(table, features.embeddings)), axis=1)
        return whole
    return np.array([bool(text) for text in texts_of(table, features.text)], dtype=np.bool_)


def texts_of(table: Table, name: str) -> NDArray[np.object_]:
    """[rows] texts of a column; empty where a cell says that there is none, as "-" and "none" do."""
    return np.where(table.missing(name), "", table.texts(name))


def dimensions(table: Table, columns: tuple[str, ...]) -> int:
    """Numbers in an embedding."""
    return int(_embeddings(table, columns).shape[1])


def guess_text(table: Table, without: Collection[str] = ()) -> str | None:
    """The column of texts: mostly different and longer than 20 letters on average; called so, or the longest."""
    lengths = {}
    for name in table.columns:
        if name in without or kind_of(table, name) != "text":
            continue
        cells = [cell for cell in texts_of(table, name) if cell]
        length = sum(map(len, cells)) / len(cells)
        if length > _FEWEST_LETTERS and 2 * len(set(cells)) > len(cells):
            lengths[name] = length
    named = [name for wanted in _TEXTS for name in lengths if name.lower() == wanted]
    return named[0] if named else max(lengths, key=lambda name: lengths[name], default=None)


def guess_embeddings(table: Table) -> tuple[str, ...]:
    """The columns of embeddings: eight or more called e0, e1, …, or one of lists called embedding; or empty."""
    for name in table.columns:
        cells = table.texts(name)
        if name.lower() in _EMBEDDING_LIST and all(cell.startswith("[") for cell in cells if cell) and any(cells):
            return (name,)
    by_stem: dict[str, list[tuple[int, str]]] = {}
    for name in table.columns:
        if match := _EMBEDDING.fullmatch(name):
            by_stem.setdefault(match[1].lower(), []).append((int(match[2]), name))
    for numbered in by_stem.values():
        places = sorted(numbered)
        first = places[0][0]
        if len(places) >= _FEWEST_DIMENSIONS and [place for place, _ in places] == list(range(first,
                                                                                              first + len(places))):
            return tuple(name for _, name in places)
    return ()


def _embeddings(table: Table, columns: tuple[str, ...]) -> NDArray[np.float64]:
    """[rows, dimensions] embeddings; NaN where one is not whole."""
    if len(columns) > 1:
        return np.stack([table.numbers(name) for name in columns], axis=1)
    found = [_list_of_numbers(cell) for cell in table.texts(columns[0])]
    sizes = sorted({len(one) for one in found if one})
    if len(sizes) != 1:
        what = f"lists of {listed([str(size) for size in sizes], 4)} numbers" if sizes else "no lists of numbers"
        raise DataError(f"{table.path} has {what} in {the('column', columns[0])}; give every row a list as long as the "
                        "others")
    blank = [float("nan")] * sizes[0]
    return np.array([one or blank for one in found], dtype=np.float64)


def _list_of_numbers(cell: str) -> list[float]:
    """The numbers of a cell such as "[0.1, 0.2]"; empty where it is no such list."""
    try:
        values = json.loads(cell)
    except (ValueError, RecursionError):
        return []
    if not isinstance(values, list) or not all(type(value) in (int, float) and abs(value) < 1e30 for value in values):
        return []
    return [float(value) for value in values]


def _named(columns: tuple[str, ...]) -> str:
    return the("column", columns[0]) if len(columns) == 1 else f"the columns {columns[0]} to {columns[-1]}"
