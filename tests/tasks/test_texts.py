"""Texts in tables and in folders, hashed or embedded: what is read, what is wrong with it, and new tasks."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.experiment.mistakes import ExperimentError
from workbench.places import sample_tasks
from workbench.tasks.base import Spec, TaskSource
from workbench.tasks.files.errors import DataError
from workbench.tasks.files.json_lines import read_json_lines
from workbench.tasks.files.tables import read_table
from workbench.tasks.files.text_features import TextFeatures, guess_embeddings, guess_text
from workbench.tasks.looking.check import check_data
from workbench.tasks.looking.recognizer import recognize_data
from workbench.tasks.own.new_task import read_new_task, why_new_task
from workbench.tasks.sampling.classes import ClassTasks, Labelled

Opener = Callable[..., TaskSource]
SMALL = {"task": {"ways": 2, "shots": 1, "queries": 2}}
WORDS = ("river", "stone", "cloud", "paper", "window", "garden", "letter", "music", "summer", "bridge", "kettle")


def sentence(number: int) -> str:
    return "On day " + " ".join(random.Random(number).sample(WORDS, 5)) + f" no. {number}"  # noqa: S311


def lines(classes: int = 10, each: int = 6) -> list[tuple[str, str]]:
    return [(sentence(100 * one + place), f"topic {one}") for place in range(each) for one in range(classes)]


def write_csv(path: Path, classes: int = 10, each: int = 6) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f'"{text}, as I said",{label}' for text, label in lines(classes, each)]
    path.write_text("\n".join(["message,topic", *rows]))
    return path


def write_jsonl(path: Path, *, embedded: bool = False) -> Path:
    rows = [{"text": text, "topic": label, **({"embedding": [i / 7, 1, -i] + [0] * 5} if embedded else {})}
            for i, (text, label) in enumerate(lines())]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def write_folders(root: Path, classes: int = 10, each: int = 6) -> Path:
    for i, (text, label) in enumerate(lines(classes, each)):
        path = root / label / f"{i:03}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def found(source: TaskSource) -> Labelled:
    assert isinstance(source, ClassTasks)
    return source.labelled


@pytest.mark.parametrize("form", ["csv", "jsonl", "folders"])
def test_texts_give_tasks_in_every_form(tmp_path: Path, opened: Opener, form: str) -> None:
    path = {"csv": lambda: write_csv(tmp_path / "новые данные" / "тексты.csv"),
            "jsonl": lambda: write_jsonl(tmp_path / "a b.jsonl"),
            "folders": lambda: write_folders(tmp_path / "my texts")}[form]()
    recognized = recognize_data(path)
    assert recognized.dataset == "texts"
    source = opened("texts", **{**recognized.settings, "path": path}, **SMALL)
    overview = source.overview()
    assert overview.form == recognized.form == ("texts by class" if form == "folders" else "texts in a table")
    assert overview.problems == ()
    assert sum(overview.classes.values()) == 10
    assert overview.facts.startswith("10 classes · 60 texts · words hashed to 256")
    batch = source.sample("train", range(3))
    assert batch.query.inputs.shape == (3, 4, 256)
    assert source.spec.input_kind == "vector"
    raw = found(source).inputs
    assert torch.allclose(raw.norm(dim=1), torch.ones(60), atol=1e-5)
    assert len(set(source.spec.deviation)) == 1
    report = check_data(path, task=None)
    assert (report["form"], report["classes"], report["examples"]) == (overview.form, 10, 60)


def test_how_texts_are_counted_is_a_persons_choice(tmp_path: Path, opened: Opener) -> None:
    path = write_csv(tmp_path / "one.csv")
    source = opened("texts", path=path, features=64, ngrams="characters", **SMALL)
    assert source.spec.input_shape == (64,)
    assert "characters hashed to 64" in source.overview().facts
    assert source.spec.reading["ngrams"] == "characters"
    with pytest.raises(ExperimentError, match="takes a power of two, such as 256 or 1024"):
        opened("texts", path=path, features=100, **SMALL)


def test_given_embeddings_are_taken_as_they_are(tmp_path: Path, opened: Opener) -> None:
    path = write_jsonl(tmp_path / "one.jsonl", embedded=True)
    source = opened("texts", path=path, **SMALL)
    assert source.spec.input_shape == (8,)
    assert "embeddings of 8" in source.overview().facts
    assert source.spec.reading["embeddings"] == ["embedding"]
    assert opened("texts", path=path, inputs="text", **SMALL).spec.input_shape == (256,)
    columns = ",".join(f"e{i}" for i in range(12))
    rows = [",".join([*(f"{(i * k) % 17}" for k in range(12)), f"topic {i % 10}"]) for i in range(60)]
    (tmp_path / "two.csv").write_text("\n".join([f"{columns},topic", *rows]))
    assert recognize_data(tmp_path / "two.csv").dataset == "texts"
    assert opened("texts", path=tmp_path / "two.csv", **SMALL).spec.input_shape == (12,)


def test_embeddings_that_are_not_whole_are_named(tmp_path: Path, opened: Opener) -> None:
    path = write_jsonl(tmp_path / "one.jsonl", embedded=True)
    rows = path.read_text().split("\n")
    rows[4] = json.dumps({"text": "x", "topic": "topic 4", "embedding": None})
    path.write_text("\n".join(rows))
    source = opened("texts", path=path, **SMALL)
    (problem,) = source.overview().problems
    assert problem == "one.jsonl: 1 of 60 rows has no whole embedding and was left out (line 5); fill it in"
    rows[4] = json.dumps({"text": "x", "topic": "topic 4", "embedding": [1, 2]})
    path.write_text("\n".join(rows))
    with pytest.raises(DataError, match="has lists of 2, 8 numbers in the column embedding; give every row a list"):
        opened("texts", path=path, **SMALL)
    with pytest.raises(DataError, match=r"has no columns e0, e1 and so on.*set dataset\.inputs to text"):
        opened("texts", path=write_csv(tmp_path / "plain.csv"), inputs="embeddings", **SMALL)


def test_a_description_beside_measurements_does_not_make_a_text(tmp_path: Path) -> None:
    rows = [f"{i},{i * 7 % 5},{i * 3 % 7}.5,{i % 4}.25,{text},{label}" for i, (text, label) in enumerate(lines())]
    (tmp_path / "one.csv").write_text("\n".join(["id,a,b,c,description,topic", *rows]))
    assert recognize_data(tmp_path / "one.csv").dataset == "table"


def test_the_text_is_the_longest_column_or_the_one_called_so(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("\n".join(["url,review,story,topic", *[
        f"https://example.org/{i},{text},{text} {text},{label}" for i, (text, label) in enumerate(lines())]]))
    assert guess_text(read_table(path)) == "review"
    assert guess_text(read_table(path), ["review"]) == "story"
    assert guess_embeddings(read_table(path)) == ()


def test_texts_without_spaces_are_texts(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("\n".join(["内容,类别", *[f"今天天气很好我们去公园散步吧然后回家吃饭休息{i},{'甲乙'[i % 2]}"
                                              for i in range(20)]]), encoding="utf-8")
    assert guess_text(read_table(path)) == "内容"


@pytest.mark.parametrize("nothing", ["", "-", "none", "N/A"])
def test_a_column_of_texts_that_is_half_empty_is_read_and_said_to_be(tmp_path: Path, opened: Opener, nothing: str
                                                                     ) -> None:
    path = write_csv(tmp_path / "one.csv")
    rows = path.read_text().strip().split("\n")
    emptied = [f"{nothing},{row.rpartition(',')[2]}" if number % 12 < 6 else row for number, row in enumerate(rows[1:])]
    path.write_text("\n".join([rows[0], *emptied]))
    assert recognize_data(path).form == "texts in a table"
    source = opened("texts", path=path, task={"ways": 2, "shots": 1, "queries": 1})
    (problem,) = source.overview().problems
    assert problem.startswith("one.csv: 30 of 60 rows have no text and were left out (lines 2, 3, 4, 5, 6 and 25 more)")


def test_rows_without_text_or_label_are_left_out_and_named(tmp_path: Path, opened: Opener) -> None:
    path = write_csv(tmp_path / "one.csv")
    rows = path.read_text().split("\n")
    rows[3], rows[5] = ",topic 2", '"a message that has no topic at all",'
    path.write_text("\n".join(rows))
    assert opened("texts", path=path, **SMALL).overview().problems == (
        "one.csv: 1 of 60 rows has no topic and was left out (line 6); fill it in",
        "one.csv: 1 of 59 rows has no text and was left out (line 4); fill it in")


def test_folders_with_what_cannot_be_read(tmp_path: Path, opened: Opener) -> None:
    root = write_folders(tmp_path / "texts")
    (root / "topic 1" / "empty.txt").write_bytes(b"")
    (root / "topic 1" / "binary.txt").write_bytes(b"\x00\x01\x02" * 50)
    (root / "topic 2" / "old.txt").write_bytes("Käse und Brot".encode("cp1252"))
    (root / "loose.txt").write_text("nowhere")
    source = opened("texts", path=root, **SMALL)
    assert found(source).counts.sum() == 61
    said = "\n".join(source.overview().problems)
    assert "1 text lies in no class folder and was left out: loose.txt" in said
    assert "empty.txt is empty; write something into it or delete it" in said
    assert "binary.txt holds bytes that are no text; save it as plain text in UTF-8" in said
    assert "old.txt is not in UTF-8 and was read as Windows-1252" in said


def test_splits_in_folders_are_honoured(tmp_path: Path, opened: Opener) -> None:
    for split, names in (("train", "abcd"), ("val", "ef"), ("test", "gh")):
        for name in names:
            for i in range(4):
                path = tmp_path / split / name / f"{i}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(sentence(i))
    assert opened("texts", path=tmp_path, **SMALL).overview().classes == {"train": 4, "validation": 2, "test": 2}


@pytest.mark.parametrize(("content", "problem"), [
    ("", "is empty"),
    ("no json\n" * 5, "5 of 5 lines are no objects of JSON: line 1"),
    ('{"text": "a text", "label": "a"}\n' * 3 + "[1]\n\n{\n", r"2 of 5 lines .*line 4 \(no object\)"),
])
def test_json_lines_that_are_none_are_an_error(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "one.jsonl").write_text(content)
    with pytest.raises(DataError, match=problem):
        read_json_lines(tmp_path / "one.jsonl")
    report = check_data(tmp_path / "one.jsonl")
    assert not report["usable"]


def test_a_broken_line_of_json_is_left_out_and_named(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "one.jsonl")
    path.write_text(path.read_text() + '\n{"text": "cut o')
    table = read_json_lines(path)
    assert len(table) == 60
    assert table.problems[0].startswith("one.jsonl: 1 of 61 lines is no object of JSON: line 61 (")


@pytest.mark.parametrize(("line", "fault"), [
    ('{"text": "a", "label": ' + "9" * 6000 + "}", "a number has thousands of digits"),
    ("[" * 200_000, "brackets lie too deep within one another"),
    ("{'text': 1}", "Expecting property name enclosed in double quotes at character 2")])
def test_what_is_wrong_with_a_line_of_json_is_said_in_words(tmp_path: Path, line: str, fault: str) -> None:
    path = write_jsonl(tmp_path / "one.jsonl")
    path.write_text(path.read_text() + f"\n{line}")
    (problem,) = read_json_lines(path).problems
    assert problem == f"one.jsonl: 1 of 61 lines is no object of JSON: line 61 ({fault}); left out. Correct it"


@pytest.mark.parametrize(("config", "sentence"), [
    ({"text": "body"}, r"has no column 'body', which dataset\.text names"),
    ({"label": "body"}, r"has no column 'body', which dataset\.label names"),
    ({"ignore": "message"}, r"has no column of texts that are mostly different .*name it in dataset\.text"),
    ({"ignore": "topic"}, r"has no column whose values repeat as those of a class do; name it in dataset\.label"),
])
def test_columns_that_will_not_do_are_named(tmp_path: Path, opened: Opener, config: dict[str, str],
                                            sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        opened("texts", path=write_csv(tmp_path / "one.csv"), **config, **SMALL)


def test_a_folder_without_texts_is_named(tmp_path: Path, opened: Opener) -> None:
    (tmp_path / "x.bin").write_bytes(b"1")
    with pytest.raises(DataError, match=r"holds no csv, tsv or jsonl file and no \.txt files; name the file itself"):
        opened("texts", path=tmp_path, **SMALL)
    (tmp_path / "loose.txt").write_text("hello")
    with pytest.raises(DataError, match=r"holds no texts in folders of their class; put the \.txt files of each class"):
        opened("texts", path=tmp_path, **SMALL)


def spec_of(source: TaskSource) -> Spec:
    return Spec.of(json.loads(json.dumps(vars(source.spec))))


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_new_task_of_tables_is_read_as_in_training(tmp_path: Path, opened: Opener, suffix: str) -> None:
    spec = spec_of(opened("texts", path=write_csv(tmp_path / "one.csv"), **SMALL))
    rows = {"support": [("same words here", "b"), ("others there", "a"), ("", "a")], "query": [("same words here", "")]}
    (tmp_path / "new").mkdir()
    for name, pairs in rows.items():
        text = "\n".join(json.dumps({"message": one, "topic": two}) for one, two in pairs) if suffix == "jsonl" else \
            "\n".join(["topic,message", *[f"{two},{one}" for one, two in pairs]])
        (tmp_path / "new" / f"{name}.{suffix}").write_text(text)
    task = read_new_task(tmp_path / "new", spec)
    assert task.class_names == ("a", "b")
    assert task.support.targets.tolist() == [1, 0]
    assert torch.equal(task.query_inputs[0], task.support.inputs[0])
    assert task.query_names == (f"query.{suffix}, line {2 if suffix == 'csv' else 1}",)
    assert "1 of 3 rows has no text and was left out" in task.problems[0]


def test_a_new_task_of_folders_fits_learners_of_tables_and_folders(tmp_path: Path, opened: Opener) -> None:
    folder = write_folders(tmp_path / "new", 3, 2)
    for i in range(2):
        (folder / "unlabelled").mkdir(exist_ok=True)
        (folder / "unlabelled" / f"{i}.txt").write_text(sentence(i))
    assert why_new_task(folder)
    for path in (write_csv(tmp_path / "one.csv"), write_folders(tmp_path / "texts")):
        task = read_new_task(folder, spec_of(opened("texts", path=path, **SMALL)))
        assert task.class_names == ("topic 0", "topic 1", "topic 2")
        assert task.support.targets.tolist() == [0, 0, 1, 1, 2, 2]
        assert task.query_names == ("unlabelled/0.txt", "unlabelled/1.txt")
    report = check_data(folder)
    assert (report["form"], report["usable"], report["classes"], report["examples"]) == ("new task", True, 3, 8)


def test_a_new_task_that_will_not_do_is_named(tmp_path: Path, opened: Opener) -> None:
    spec = spec_of(opened("texts", path=write_csv(tmp_path / "one.csv"), **SMALL))
    folder = tmp_path / "new"
    write_folders(folder, 1, 2)
    with pytest.raises(DataError, match="holds readable texts of 1 class and a task needs two or more"):
        read_new_task(folder, spec)
    write_folders(folder, 2, 2)
    with pytest.raises(DataError, match=r"holds no texts to predict; put \.txt files into it beside the class folders"):
        read_new_task(folder, spec)
    (folder / "support.csv").write_text("message,topic\nhello there,a\ngood bye,b\n")
    with pytest.raises(DataError, match=r"holds no query\.csv, \.tsv or \.jsonl; a new task is a support"):
        read_new_task(folder, spec)
    (folder / "query.csv").write_text("words\nhello\n")
    with pytest.raises(DataError, match=r"query\.csv has no column 'message', which the learner was trained on"):
        read_new_task(folder, spec)
    embedded = spec_of(opened("texts", path=write_jsonl(tmp_path / "e.jsonl", embedded=True), **SMALL))
    (folder / "query.csv").unlink()
    (folder / "support.csv").unlink()
    with pytest.raises(DataError, match="this learner was trained on embeddings, which plain texts do not bring along"):
        read_new_task(folder, embedded)
    for name in ("support", "query"):
        (folder / f"{name}.jsonl").write_text("\n".join(json.dumps({"topic": one, "embedding": [1, 2, 3]})
                                                        for one in "ab"))
    with pytest.raises(DataError, match="has embeddings of 3 numbers in the column embedding and the learner was"):
        read_new_task(folder, embedded)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=6), st.sampled_from(["words", "characters"]))
def test_every_text_is_hashed_to_length_one_or_nothing(texts: list[str], ngrams: str) -> None:
    features = TextFeatures.of({"text": "text", "embeddings": [], "features": 64, "ngrams": ngrams})
    assert TextFeatures.of(json.loads(json.dumps(features.reading))) == features
    hashed = features.hashed(texts)
    lengths = np.linalg.norm(hashed, axis=1)
    assert hashed.shape == (len(texts), 64)
    assert np.all((np.abs(lengths - 1) < 1e-5) | (lengths == 0))
    np.testing.assert_array_equal(features.hashed(texts[::-1])[::-1], hashed)


def test_the_messages_have_a_floor_that_leaves_something_to_learn_and_a_new_task_that_fits(opened: Opener) -> None:
    report = check_data(sample_tasks() / "messages")
    assert (report["dataset"], report["classes"], report["problems"]) == ("texts", 25, [])
    assert 0.25 < report["floor"]["mean"] < 0.6
    source = opened("texts", path=sample_tasks() / "messages", task={"shots": 5})
    task = read_new_task(sample_tasks() / "new_messages", source.spec)
    assert task.support.inputs.shape == (25, 256)
    assert task.query_inputs.shape == (20, 256)
    assert source.names("train").isdisjoint(task.class_names)
    new = check_data(sample_tasks() / "new_messages")
    assert (new["form"], new["usable"], new["problems"], new["classes"]) == ("new task", True, [], 5)
