"""From what a person said to a complete experiment, and back."""

from __future__ import annotations

import tomllib
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.experiment.experiment import TrainingConfig
from workbench.experiment.fields import parameters
from workbench.experiment.mistakes import ExperimentError
from workbench.experiment.presets import find_preset, presets
from workbench.experiment.registry import ROLES, UnknownNameError, find, found
from workbench.experiment.resolve import (
    command_line,
    defaults,
    dotted,
    misfit,
    read_toml,
    resolve,
    to_tables,
    to_toml,
    unnamed,
    with_settings,
    with_values,
)
from workbench.places import resources


def said(*settings_: str):
    return resolve(with_settings({}, settings_))


def message(*settings_: str) -> str:
    with pytest.raises(ExperimentError) as caught:
        said(*settings_)
    return str(caught.value)


def test_nothing_said_is_a_complete_experiment():
    experiment = resolve({})
    assert (experiment.dataset.name, experiment.backbone.name, experiment.algorithm.name) == ("glyphs", "conv4", "maml")


def test_a_dataset_brings_the_network_and_the_shape_that_suit_it():
    experiment = said("dataset=sinusoids")
    assert experiment.backbone.name == "mlp"
    assert experiment.task.shots == 10
    assert experiment.algorithm.inner_lr == 0.01


def test_an_algorithm_brings_its_outer_loop():
    training = said("algorithm=reptile", "dataset=sinusoids").training
    assert (training.optimizer, training.outer_lr, training.schedule) == ("sgd", 1.0, "linear")


def test_what_is_said_goes_before_what_is_suggested():
    assert said("algorithm=reptile", "training.outer_lr=0.5").training.outer_lr == 0.5


def test_short_picks_go_before_dotted_names_whatever_their_order():
    experiment = said("algorithm.inner_steps=7", "algorithm=anil")
    assert (experiment.algorithm.name, experiment.algorithm.inner_steps) == ("anil", 7)


def test_a_new_pick_drops_the_fields_of_the_old_one():
    preset = find_preset("maml-sinusoids")
    experiment = resolve(with_settings(preset.tables, ["algorithm=anil"]))
    assert experiment.algorithm.name == "anil"
    assert experiment.training.iterations == 70000


@pytest.mark.parametrize(("setting", "expected"), [
    ("task.way=3", "task.way: there is no such field; did you mean 'task.ways'?"),
    ("dataset.path=mine", "dataset.path: there is no such field of glyphs; there are: name"),
    ("dataset=sinusoid", "dataset.name: no dataset is called 'sinusoid'; did you mean 'sinusoids'?"),
    ("algorithm=mamml", "did you mean 'maml'?"),
    ("algorithm=MAML", "did you mean 'maml'?"),
    ("algorithm=Baseline++", "did you mean 'baseline_pp'?"),
    ("algorithm.Inner_LR=1", "did you mean 'algorithm.inner_lr'?"),
    ("trainings.iterations=3", "did you mean 'training'?"),
    ("training.executor=vectorised", "may not be 'vectorised' (did you mean 'vectorized'?); choose one of: auto, vect"),
    ("training.executor=x", "training.executor: may not be 'x'; choose one of: auto, vectorized, columns, threads"),
    ("training.outer_lr=-1", "training.outer_lr: input should be greater than 0, not -1"),
    ("task.ways=many", "task.ways: takes a whole number, not 'many'"),
    ("task.ways=", "task.ways: may not be empty; it takes a whole number"),
    ("algorithm.inner_steps=true", "algorithm.inner_steps: takes a whole number, not true"),
    ("algorithm.inner_lr=true", "algorithm.inner_lr: takes a number, not true"),
    ("algorithm.order=true", "algorithm.order: takes one of its choices, not true; choose one of: 1, 2"),
    ("training.clip=false", "training.clip: takes a number, not false"),
    ("seed=true", "seed: takes a whole number, not true"),
    ("backbone.downsampling=pool", "choose one of: max_pool, stride"),
    ("seed=-4", "seed: input should be greater than or equal to 0, not -4"),
    ("task.ways", "a setting is written NAME=VALUE"),
    ("task=5", "task: is a table"),
])
def test_a_mistake_is_named_with_its_remedy(setting, expected):
    assert expected in message(setting)


@pytest.mark.parametrize(("text", "expected"), [
    ("", "may not be empty; it takes one or more whole numbers with commas between them, such as 40, 40"),
    ("a", "takes one or more whole numbers with commas between them, such as 40, 40, not 'a'"),
    ("true, 2", "takes one or more whole numbers with commas between them, not [true, 2]"),
    ("0", "takes one or more whole numbers from 1 to 65536, such as 40, 40, not [0]"),
])
def test_what_is_no_list_of_numbers_is_told_how_to_write_one(text, expected):
    assert message("dataset=sinusoids", f"backbone.widths={text}") == f"backbone.widths: {expected}"


def test_fields_that_do_not_go_together_are_told_under_the_name_of_one():
    with pytest.raises(ExperimentError) as caught:
        said("algorithm=mann", "algorithm.heads=8", "algorithm.rows=4")
    (problem,) = caught.value.problems
    assert problem.field == "algorithm.heads"
    assert "8 write to 4 rows" in problem.message
    assert "{" not in problem.message


def test_every_mistake_is_told_at_once():
    text = message("task.ways=1", "training.meta_batch=0", "algorithm.inner_lr=0")
    assert all(name in text for name in ("task.ways", "training.meta_batch", "algorithm.inner_lr"))


def test_picks_that_do_not_fit_are_refused_with_the_reason():
    text = message("dataset=sinusoids", "algorithm=protonet", "backbone=conv4")
    assert "ProtoNet does classification and Sinusoids is regression" in text
    assert "Conv4 reads image inputs and Sinusoids gives vector ones" in text
    assert misfit(find("dataset", "glyphs"), find("backbone", "mlp")) == ""


@pytest.mark.parametrize("dataset", sorted(found("dataset")))
def test_what_a_pick_suggests_for_its_favourite_is_no_mistake_of_another(dataset: str):
    refusals: list[str] = []
    for backbone in found("backbone"):
        for algorithm in found("algorithm"):
            try:
                said(f"dataset={dataset}", f"backbone={backbone}", f"algorithm={algorithm}")
            except ExperimentError as error:
                refusals.append(str(error))
    assert not [refusal for refusal in refusals if "no such field" in refusal]


def test_more_ways_in_training_need_an_algorithm_without_a_head():
    assert "MAML has one output a way" in message("training.ways=20")
    assert said("algorithm=protonet", "training.ways=20").training_task().ways == 20


def test_an_empty_value_empties_an_optional_field():
    assert said("algorithm=reptile", "training.shots=").training.shots is None


@given(algorithm=st.sampled_from(sorted(found("algorithm"))), shots=st.integers(1, 9),
       clip=st.none() | st.floats(0.1, 9), seed=st.integers(0, 10**6),
       training_shots=st.none() | st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_an_experiment_survives_its_file_and_its_command_line(algorithm, shots, clip, seed, training_shots):
    experiment = resolve({"algorithm": {"name": algorithm}, "task": {"shots": shots}, "seed": seed,
                          "training": {"clip": clip, "shots": training_shots}})
    assert resolve(tomllib.loads(to_toml(experiment))) == experiment
    words = command_line(experiment).split()
    assert resolve(with_settings({}, [word for word in words[2:] if word != "--set"])) == experiment


@pytest.mark.parametrize("name", sorted(presets()))
def test_every_preset_is_a_valid_experiment_whose_command_is_its_name(name):
    preset = presets()[name]
    experiment = resolve(preset.tables)
    assert command_line(experiment, name, preset.tables) == f"workbench run --preset {name}"
    assert resolve(to_tables(experiment)) == experiment
    assert preset.title
    assert preset.help.endswith(".")


def test_the_first_look_comes_first():
    assert next(iter(presets())) == "first-look"


def test_presets_of_one_family_stand_together_each_at_a_place_of_its_own():
    families = [name.partition("-")[0] for name in presets()]
    assert len(list(groupby(families))) == len(set(families))
    orders = [tomllib.loads(path.read_text(encoding="utf8"))["preset"]["order"]
              for path in (resources() / "presets").glob("*.toml")]
    assert len(set(orders)) == len(orders) == len(families)


def test_a_preset_that_says_so_has_the_settings_of_its_paper():
    maml = resolve(find_preset("maml-omniglot-5w1s-paper").tables)
    assert (maml.training.iterations, maml.training.meta_batch, maml.algorithm.test_steps) == (60_000, 32, 3)
    mann = resolve(find_preset("mann-omniglot-5w1s-paper").tables).algorithm
    assert (mann.labels, mann.sharpness) == ("late", "one")


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'first-look'"):
        find_preset("first-lok")


def test_a_file_that_is_missing_or_damaged_is_named(tmp_path: Path):
    with pytest.raises(ExperimentError, match=r"absent\.toml: there is no such file"):
        read_toml(tmp_path / "absent.toml")
    (tmp_path / "bad.toml").write_text("[task\nways = 5")
    with pytest.raises(ExperimentError, match=r"bad\.toml: is no TOML"):
        read_toml(tmp_path / "bad.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ExperimentError, match=r"binary\.toml: cannot be read"):
        read_toml(tmp_path / "binary.toml")


def test_every_field_of_everything_is_declared_with_a_label_and_a_help_text():
    configs = [TrainingConfig, *(kind.Config for role in ROLES for kind in found(role).values())]
    for config in configs:
        for parameter in parameters(config):
            assert parameter.label != parameter.name, f"{config.__name__}.{parameter.name}"
            assert parameter.help.endswith("."), f"{config.__name__}.{parameter.name}"


def test_every_pick_says_what_it_is():
    for role in ROLES:
        for name, kind in found(role).items():
            assert kind.title, name
            assert kind.summary().endswith((".", "?")), name


def test_defaults_depend_on_the_picks_alone():
    assert defaults({"dataset": {"name": "sinusoids"}, "task": {"shots": 3}})["task"]["shots"] == 10


def test_a_value_in_the_place_of_a_table_is_named_though_a_setting_would_hide_it():
    for tables, setting in (({"dataset": "glyphs"}, "dataset=sinusoids"), ({"task": 5}, "task.ways=3")):
        with pytest.raises(ExperimentError, match="is a table; write"):
            with_settings(tables, [setting])
    assert "is a table; set one of its fields, such as task.ways=5" in message("task=5", "task.ways=3")


@pytest.mark.parametrize("text", ["2024", "1.50", "true", "2024-01-01", "1e5"])
def test_a_path_and_a_text_stay_as_they_were_typed(text: str):
    tables = with_settings({}, ["dataset=image_folder", f"dataset.path={text}", f"device={text}"])
    assert (tables["dataset"]["path"], tables["device"]) == (text, text)


@pytest.mark.parametrize("text", ["40,40", "40, 40", "[40, 40]"])
def test_a_list_needs_no_brackets(text: str):
    assert said("dataset=sinusoids", f"backbone.widths={text}").backbone.widths == (40, 40)


@pytest.mark.parametrize("setting", ["dataset=", "dataset.name=", "algorithm=''"])
def test_a_pick_without_a_name_is_told_so(setting: str):
    assert "a name is missing" in message(setting)


def test_a_file_that_begins_with_a_mark_of_its_encoding_is_read(tmp_path: Path):
    path = tmp_path / "a.toml"
    path.write_text("seed = 3\n", encoding="utf-8-sig")
    assert read_toml(path) == {"seed": 3}


def test_roles_without_a_name_are_told():
    assert unnamed({"dataset": 5, "backbone": {"name": "mlp"}, "algorithm": {}}) == ["dataset", "algorithm"]
    assert unnamed(["x"]) == list(ROLES)
    assert unnamed(resolve({}).model_dump()) == []


def test_tables_and_values_by_dotted_names_are_made_of_each_other() -> None:
    tables = {"seed": 3, "task": {"ways": 5, "shots": 1}, "dataset": {"name": "glyphs"}}
    assert dotted(tables) == {"seed": 3, "task.ways": 5, "task.shots": 1, "dataset.name": "glyphs"}
    assert with_values({}, dotted(tables)) == tables
    changed = with_values(tables, {"task.ways": 7, "training.shots": 2, "seed": 4})
    assert changed == {**tables, "seed": 4, "task": {"ways": 7, "shots": 1}, "training": {"shots": 2}}
    assert tables["task"] == {"ways": 5, "shots": 1}
