"""CUDA graphs give the numbers of the meta-step that is not captured, where there is a GPU to capture on."""

from __future__ import annotations

import pytest
import torch

from workbench.engine.events import Checkpoint, Noticed, Started
from workbench.engine.trainer import train
from workbench.experiment.resolve import resolve, with_settings

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU to capture on")


@pytest.mark.parametrize("settings", [
    ("dataset=sinusoids",), ("dataset=sinusoids", "training.optimizer=sgd"), ("dataset=sinusoids", "training.clip=1"),
    ("dataset=glyphs", "backbone.filters=8"), ("dataset=glyphs", "backbone.filters=8", "algorithm=protonet"),
])
def test_captured_training_equals_training_that_is_not(settings: tuple[str, ...]):
    ends = []
    for acceleration in ("none", "graphs"):
        events = list(train(resolve(with_settings({}, [
            *settings, "device=cuda", "training.iterations=12", "training.meta_batch=4", "training.executor=vectorized",
            "training.validation_tasks=4", "evaluation.tasks=4", "evaluation.probe_tasks=2",
            f"training.acceleration={acceleration}"]))))
        assert isinstance(events[0], Started)
        assert not [event for event in events if isinstance(event, Noticed)]
        ends.append([event.state.meta.params for event in events if isinstance(event, Checkpoint)][-1])
    plain, captured = ends
    for name, value in plain.items():
        torch.testing.assert_close(captured[name], value, rtol=1e-3, atol=1e-5)


def test_a_captured_run_is_gone_on_with():
    experiment = resolve(with_settings({}, [
        "dataset=sinusoids", "device=cuda", "training.iterations=12", "training.meta_batch=4",
        "training.validation_tasks=4", "evaluation.tasks=4", "evaluation.probe_tasks=2", "training.checkpoint_every=6",
        "training.acceleration=graphs"]))
    kept = [event.state for event in train(experiment) if isinstance(event, Checkpoint)]
    middle = next(state for state in kept if state.step == 6)
    end = [event.state for event in train(experiment, state=middle) if isinstance(event, Checkpoint)][-1]
    for name, value in kept[-1].meta.params.items():
        torch.testing.assert_close(end.meta.params[name], value, rtol=1e-3, atol=1e-5)
