"""What comes of adapting is judged as what it is, also where it is no number."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.problems import executor, make, noise_tasks, setting, spec
from workbench.engine.inner_loop import judged_both_ways, trace_task
from workbench.engine.session import Session
from workbench.experiment.resolve import resolve, with_settings
from workbench.exports.learner import Learner, LearnerError
from workbench.exports.predictions import predict_folder
from workbench.places import sample_tasks


@pytest.mark.parametrize("name", ["ridge", "protonet", "maml"])
def test_outputs_that_are_no_numbers_score_none_rather_than_chance(name):
    about = spec("classification", 3, picture=True)
    algorithm, meta = make(name, about)
    batch, keys = noise_tasks(about, tasks=2, ways=3, shots=2, queries=2)
    runner, how = executor("vectorized", algorithm), setting(algorithm, about)
    assert runner.map(trace_task, meta, batch, keys, how).metric.isfinite().all()
    broken = meta._replace(params={name: value * torch.nan for name, value in meta.params.items()})
    assert runner.map(trace_task, broken, batch, keys, how).metric.isnan().all()
    assert all(one.isnan().all() for one in runner.map(judged_both_ways, broken, batch, keys, how))


def test_a_learner_that_predicts_no_numbers_says_so():
    experiment = resolve(with_settings({}, ["dataset=image_folder", f"dataset.path={sample_tasks() / 'shapes'}",
                                            "algorithm=protonet", "backbone.filters=4", "device=cpu", "task.ways=3"]))
    session = Session(experiment)
    meta, about = session.init(), session.spec
    session.close()
    learner = Learner("mine", experiment, meta, 0, about)
    assert len(predict_folder(learner, sample_tasks() / "new_shapes").outputs)
    broken = meta._replace(params={name: value * torch.nan for name, value in meta.params.items()})
    with pytest.raises(LearnerError, match="mine has no answer to this task: what it predicts is not a number"):
        predict_folder(replace(learner, meta=broken), sample_tasks() / "new_shapes")
