"""Fields that have no effect, as the command line tells of them."""

from __future__ import annotations

import pytest

from workbench.experiment.experiment import EvaluationConfig, TaskConfig, TrainingConfig
from workbench.experiment.fields import parameters
from workbench.experiment.idle import idle, said_in_vain
from workbench.experiment.presets import presets
from workbench.experiment.registry import ROLES, found
from workbench.experiment.resolve import resolve, tentative, unusual, with_settings


def said(*settings_: str):
    return resolve(with_settings({}, settings_))


@pytest.mark.parametrize(("settings_", "field", "reason"), [
    (["algorithm=meta_sgd"], "algorithm.inner_lr", "only where algorithm.first_rates is constant"),
    (["algorithm=cavia", "algorithm.conditioning=head"], "algorithm.blocks", "conditioning is concatenate or film"),
    (["algorithm=cavia", "algorithm.bias_only=true"], "algorithm.contexts", "algorithm.bias_only is off"),
    (["algorithm=cavia", "algorithm.bias_only=true"], "algorithm.conditioning", "algorithm.bias_only is off"),
    (["algorithm=cavia", "algorithm.bias_only=true"], "algorithm.blocks", "algorithm.bias_only is off"),
    (["algorithm=meta_network"], "algorithm.inner_lr", "no refining step is taken"),
    (["algorithm=matching_net"], "algorithm.reads", "algorithm.full_context is on"),
    (["algorithm=matching_net", "algorithm.similarity=euclidean"], "algorithm.temperature", "similarity is cosine"),
    (["algorithm=maml_pp", "algorithm.multi_step_loss=false"], "algorithm.multi_step_share", "multi_step_loss is on"),
    (["algorithm=maml_pp", "algorithm.order_annealing=false"], "algorithm.first_order_share", "order_annealing is on"),
    (["algorithm=maml_pp", "algorithm.inner_steps=1"], "algorithm.multi_step_loss", "one inner step"),
    (["algorithm=maml_pp", "backbone=mlp"], "algorithm.per_step_normalization", "MLP has no normalization"),
    (["algorithm=maml_pp", "backbone.normalization=none"], "algorithm.per_step_normalization", "no normalization"),
    (["algorithm=meta_transfer", "dataset=sinusoids"], "algorithm.hard_tasks", "Sinusoids is regression"),
    (["algorithm=meta_transfer", "algorithm.pretraining=0"], "algorithm.example_batch", "nothing is pretrained"),
    (["algorithm=meta_nas", "dataset=sinusoids"], "backbone.normalization", "vectors"),
    (["algorithm=baseline"], "training.shots", "on no tasks"),
    (["algorithm=baseline"], "training.ways", "on no tasks"),
    (["algorithm=supervised", "training.ways=20"], "training.ways", "on no tasks"),
    (["algorithm=supervised"], "task.shots", "other examples of its training classes"),
    (["dataset=sinusoids"], "training.ways", "Sinusoids is regression"),
    (["dataset=sinusoids"], "task.ways", "Sinusoids is regression"),
    (["algorithm=maml"], "training.ways", "one output a way"),
    (["algorithm=fomaml"], "training.recompute", "takes its inner gradients for constants"),
    (["algorithm=maml", "algorithm.order=1"], "training.recompute", "takes its inner gradients for constants"),
    (["algorithm=reptile"], "training.recompute", "without differentiating through them"),
    (["algorithm=imaml"], "training.recompute", "at the solution and not through the steps"),
    (["algorithm=protonet"], "training.recompute", "takes no inner steps"),
    (["algorithm=baseline"], "training.recompute", "trains on examples"),
    (["algorithm=meta_network"], "training.recompute", "takes no refining step in training"),
])
def test_a_field_without_effect_has_a_reason(settings_, field, reason):
    assert reason in idle(said(*settings_))[field]


@pytest.mark.parametrize(("settings_", "field"), [
    (["algorithm=meta_sgd", "algorithm.first_rates=constant"], "algorithm.inner_lr"),
    (["algorithm=cavia", "algorithm.conditioning=film"], "algorithm.blocks"),
    (["algorithm=meta_network", "algorithm.inner_steps=1"], "algorithm.inner_lr"),
    (["algorithm=meta_network", "algorithm.test_steps=1"], "algorithm.inner_lr"),
    (["algorithm=matching_net", "algorithm.full_context=true"], "algorithm.reads"),
    (["algorithm=maml_pp"], "algorithm.per_step_normalization"),
    (["algorithm=maml_pp"], "algorithm.first_order_share"),
    (["algorithm=meta_transfer"], "algorithm.hard_tasks"),
    (["algorithm=protonet"], "training.ways"),
    (["algorithm=baseline", "dataset=sinusoids"], "training.shots"),
    (["algorithm=baseline"], "task.shots"),
    (["algorithm=maml"], "training.recompute"),
    (["algorithm=meta_rnn"], "training.recompute"),
    (["algorithm=meta_network", "algorithm.inner_steps=2"], "training.recompute"),
])
def test_a_field_with_an_effect_is_not_idle(settings_, field):
    assert field not in idle(said(*settings_))


def test_values_are_called_as_the_form_does_where_that_is_wanted():
    reason = idle(said("algorithm=meta_sgd"), with_labels=True)["algorithm.inner_lr"]
    assert reason.endswith("is “All at the inner rate”")


def test_what_a_field_needs_are_values_of_another_field_of_its_table():
    for config in (TaskConfig, TrainingConfig, EvaluationConfig, *(kind.Config for role in ROLES
                                                                   for kind in found(role).values())):
        declared = {one.name: one for one in parameters(config)}
        for one in declared.values():
            for name, values in one.needs:
                choices = [value for value, _ in declared[name].choices] or [True, False]
                assert name != one.name
                assert set(values) < set(choices), f"{config.__name__}.{one.name}"


@pytest.mark.parametrize("name", sorted(presets()))
def test_no_preset_says_anything_in_vain(name):
    experiment = resolve(presets()[name].tables)
    assert said_in_vain(experiment, sorted(unusual(experiment))) == ""


def test_what_is_said_in_vain_is_told_on_one_line():
    experiment = said("algorithm=meta_sgd", "algorithm.inner_lr=0.3", "dataset=sinusoids", "task.ways=3")
    told = said_in_vain(experiment, ["algorithm.inner_lr", "task.ways", "task.shots"])
    assert told == ("algorithm.inner_lr has no effect: it matters only where algorithm.first_rates is constant; "
                    "task.ways has no effect: Sinusoids is regression: its tasks have no classes to count")
    assert unusual(experiment) == {"algorithm.inner_lr", "task.ways"}


@pytest.mark.parametrize("wrong", [
    {"algorithm": {"name": "mann", "heads": 8, "rows": 4}}, {"algorithm": {"name": "maml", "inner_steps": "x"}},
    {"training": {"iterations": -1}}, {"algorithm": {"name": "cavia", "blocks": "x", "bias_only": True}}])
def test_what_suits_stands_in_for_what_will_not_do(wrong):
    experiment = tentative(wrong)
    assert experiment.training.iterations > 0
    if experiment.algorithm.name == "cavia":
        assert "algorithm.blocks" in idle(experiment)
