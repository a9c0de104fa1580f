"""The experiment while it is put together."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.gui.helpers import SHORT
from workbench.experiment.presets import presets
from workbench.experiment.registry import Role
from workbench.experiment.resolve import read_toml, resolve, with_settings
from workbench.gui.form.draft import Draft


def test_fields_that_were_not_said_follow_the_picks() -> None:
    draft = Draft()
    assert draft.values()["algorithm.inner_lr"] == 0.4
    draft.pick("dataset", "sinusoids")
    assert draft.values()["algorithm.inner_lr"] == 0.01
    assert draft.picks["backbone"] == "mlp"


def test_a_message_has_the_form_s_labels_for_dotted_names_but_not_in_settings() -> None:
    draft = Draft()
    assert draft.in_words("lower training.outer_lr or task.ways.") == "lower “Outer rate” or “Ways”."
    assert draft.in_words("set algorithm.nothing") == "set algorithm.nothing"
    for text in ("run --set task.ways=20", "it lies in /home/me/dataset.path/one"):
        assert draft.in_words(text) == text


def test_fields_that_were_said_stay() -> None:
    draft = Draft()
    draft.set("algorithm.inner_lr", 0.25)
    draft.set("training.iterations", 77)
    draft.pick("algorithm", "fomaml")
    draft.pick("dataset", "sinusoids")
    assert draft.values()["algorithm.inner_lr"] == 0.25
    assert draft.values()["training.iterations"] == 77


def test_fields_that_are_gone_are_forgotten() -> None:
    draft = Draft()
    draft.set("backbone.filters", 16)
    draft.pick("backbone", "mlp")
    assert "backbone.filters" not in draft.values()
    draft.pick("backbone", "conv4")
    assert draft.values()["backbone.filters"] == 64


def test_saying_what_suits_anyway_is_saying_nothing() -> None:
    draft = Draft()
    draft.set("task.ways", 7)
    draft.set("task.ways", 5)
    assert draft.said == {}


def test_what_data_demanded_goes_with_them_and_what_was_typed_stays() -> None:
    draft = Draft()
    draft.set("task.queries", 7)
    draft.open_data("table", {"dataset.path": "a.csv", "dataset.label": "kind", "task.ways": 3, "task.shots": 2})
    draft.set("task.shots", 4)
    restored = Draft.restored(draft.state())
    for one in (draft, restored):
        assert one.typed() == {"task.queries": 7, "task.shots": 4}
        one.open_data("table", {"dataset.path": "b.csv"})
        assert one.said == {"task.queries": 7, "task.shots": 4, "dataset.path": "b.csv"}
        one.pick("dataset", "task_tables")  # the same data, read in another way
        assert one.said == {"task.queries": 7, "task.shots": 4, "dataset.path": "b.csv"}
        one.pick("dataset", "glyphs")
        assert one.said == {"task.queries": 7, "task.shots": 4}


def test_other_data_than_a_preset_is_about_leave_it_with_how_it_trains_on_its_own() -> None:
    name, preset = next((name, one) for name, one in presets().items()
                        if one.tables["dataset"]["name"] == "omniglot" and one.tables["training"].get("ways"))
    draft = Draft()
    draft.take(preset.tables, name)
    draft.set("training.queries", 9)
    draft.open_data("omniglot", {"dataset.path": "drawings"})
    assert draft.preset == name
    assert draft.values()["training.ways"] == preset.tables["training"]["ways"]
    draft.open_data("image_folder", {"dataset.path": "leaves"})
    assert draft.preset == ""
    assert draft.values()["training.ways"] is None
    assert draft.values()["training.queries"] == 9
    assert draft.values()["training.iterations"] == draft.suited()["training.iterations"]
    assert draft.picks["algorithm"] == preset.tables["algorithm"]["name"]
    assert "--preset" not in draft.command()


def test_what_does_not_fit_a_new_dataset_gives_way_with_a_word() -> None:
    draft = Draft()
    draft.pick("algorithm", "protonet")
    notes = draft.pick("dataset", "sinusoids")
    assert draft.picks["algorithm"] == "maml"
    assert any("regression" in note for note in notes)
    assert draft.problems() == []


def test_unfitting_picks_come_with_their_reason() -> None:
    draft = Draft()
    draft.pick("dataset", "sinusoids")
    assert "image" in draft.unfitting("backbone")["conv4"]
    assert "classification" in draft.unfitting("algorithm")["protonet"]
    assert draft.unfitting("dataset") == {}


@pytest.mark.parametrize(("dataset", "role", "name", "words"), [
    ("sinusoids", "algorithm", "relation_net", "classification"),
    ("harmonics", "algorithm", "baseline_pp", "regression"),
    ("pendulum", "algorithm", "protonet", "regression"), ("sinusoids", "backbone", "resnet12", "image"),
    ("glyphs", "backbone", "conv1d", "series"), ("omniglot", "backbone", "conv1d", "series")])
def test_a_pick_that_cannot_work_on_the_data_is_grey_with_the_reason(dataset: str, role: Role, name: str, words: str
                                                                     ) -> None:
    draft = Draft()
    draft.pick("dataset", dataset)
    assert words in draft.unfitting(role)[name]


@pytest.mark.parametrize(("algorithm", "dotted", "value", "words"), [
    ("snail", "algorithm.length", 3, "6 examples with the query"), ("maml", "training.ways", 20, "one output a way"),
    ("supervised", "dataset.held_out", "classes", "cannot be tested on others")])
def test_a_value_that_cannot_work_is_told_under_its_field(algorithm: str, dotted: str, value: object, words: str
                                                          ) -> None:
    draft = Draft()
    draft.pick("algorithm", algorithm)
    draft.set(dotted, value)
    (problem,) = draft.problems()
    assert problem.field == dotted
    assert words in problem.message


def test_ways_are_idle_for_regression() -> None:
    draft = Draft()
    assert "task.ways" not in draft.idle_fields()
    draft.pick("dataset", "sinusoids")
    assert "regression" in draft.idle_fields()["task.ways"]


def test_training_ways_are_idle_for_a_method_that_tells_all_classes_apart() -> None:
    draft = Draft()
    draft.pick("algorithm", "supervised")
    assert "all training classes" in draft.idle_fields()["training.ways"]


@pytest.mark.parametrize("name", list(presets()))
def test_every_preset_fills_the_form_with_itself(name: str) -> None:
    draft = Draft()
    draft.take(presets()[name].tables, name)
    assert draft.resolved() == resolve(presets()[name].tables)
    assert draft.is_as_preset(presets()[name])


@pytest.mark.parametrize("name", ["", *presets()])
def test_the_command_line_gives_the_same_experiment(name: str) -> None:
    draft = Draft()
    if name:
        draft.take(presets()[name].tables, name)
    draft.set("training.outer_lr", 0.0123)
    draft.set("seed", 3)
    words = draft.command().split()
    assert words[:2] == ["workbench", "run"]
    base = presets()[words[words.index("--preset") + 1]].tables if "--preset" in words else {}
    settings = [after for before, after in pairwise(words) if before == "--set"]
    assert resolve(with_settings(base, settings)) == draft.resolved()


def test_a_draft_is_restored_as_it_was() -> None:
    draft = Draft()
    draft.take(SHORT)
    assert Draft.restored(draft.state()).resolved() == draft.resolved()


@pytest.mark.parametrize("state", [
    {"picks": {"dataset": "gone", "backbone": "conv4", "algorithm": "maml"}}, {"picks": 3, "said": []},
    {"said": {"training.gone": 3}}, {"preset": "gone"},
    {"picks": {"dataset": "sinusoids", "backbone": "conv4", "algorithm": "maml"}}])
def test_a_state_that_no_longer_fits_is_no_obstacle(state: dict[str, object]) -> None:
    assert Draft.restored(state).problems() == []


def test_an_experiment_file_is_taken_whole(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("files") / "one.toml"
    path.write_text('seed = 4\n[dataset]\nname = "sinusoids"\n[training]\nclip = 2.0\n', encoding="utf8")
    draft = Draft()
    draft.take(read_toml(path))
    assert draft.resolved() == resolve(read_toml(path))


def test_a_draft_that_is_reset_has_what_suits_its_picks() -> None:
    draft = Draft()
    draft.take(presets()["first-look"].tables, "first-look")
    draft.follow({"task.ways": 7})
    draft.reset()
    assert (draft.said, draft.followed, draft.preset) == ({}, set(), "")
    assert draft.picks == Draft(dict(draft.picks)).picks


def test_a_preset_that_is_gone_is_no_obstacle_to_other_data() -> None:
    draft = Draft(preset="of another version")
    draft.set("training.iterations", 77)
    draft.pick("dataset", "sinusoids")
    assert (draft.preset, draft.values()["training.iterations"]) == ("", 77)
    assert "--preset" not in draft.command()


def test_a_command_names_a_preset_only_on_the_data_that_it_is_about() -> None:
    name = "anil-omniglot-20w1s-paper"
    state = {"picks": {"dataset": "glyphs", "backbone": "conv4", "algorithm": "anil"}, "preset": name,
             "said": {"task.ways": 20, "algorithm.inner_lr": 2.0}}
    assert "--preset" not in Draft.restored(state).command()
    draft = Draft()
    draft.take(presets()[name].tables, name)
    assert draft.command() == f"workbench run --preset {name}"


def test_what_data_demanded_is_forgotten_with_its_field() -> None:
    draft = Draft()
    draft.open_data("image_folder", {"dataset.path": "leaves", "backbone.filters": 16})
    draft.pick("backbone", "mlp" if "mlp" not in draft.unfitting("backbone") else "resnet12")
    assert "backbone.filters" not in draft.followed
    assert draft.followed == {"dataset.path"}
    assert draft.followed <= draft.said.keys()
