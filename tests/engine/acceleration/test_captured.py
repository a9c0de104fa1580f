"""CUDA graphs give the numbers of the meta-step that is not captured, where there is a GPU to capture on."""

from __future__ import annotations

import pytest
import torch
from torch.utils._pytree import tree_map

from tests.problems import make, noise_tasks, setting, spec
from workbench.algorithms.base import Context, Meta
from workbench.algorithms.inner import Fast
from workbench.algorithms.maml import MAML
from workbench.engine.acceleration.captured import Captured
from workbench.engine.events import Checkpoint, Noticed, Started
from workbench.engine.executors.vectorized import Vectorized
from workbench.engine.trainer import train
from workbench.experiment.resolve import resolve, with_settings
from workbench.tasks.base import Examples

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU to capture on")


@pytest.mark.parametrize("settings", [
    ("dataset=sinusoids",), ("dataset=sinusoids", "training.optimizer=sgd"), ("dataset=sinusoids", "training.clip=1"),
    ("dataset=glyphs", "backbone.filters=8"), ("dataset=glyphs", "backbone.filters=8", "algorithm=protonet"),
    ("dataset=glyphs", "backbone.filters=8", "algorithm=ridge"),
    ("dataset=glyphs", "backbone.filters=8", "training.executor=columns"),
])
def test_captured_training_equals_training_that_is_not(settings: tuple[str, ...]):
    ends = []
    for acceleration in ("none", "graphs"):
        events = list(train(resolve(with_settings({}, [
            "training.executor=vectorized", *settings, "device=cuda", "training.iterations=12", "training.meta_batch=4",
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


class Waiting(MAML):
    """MAML that looks at a number on the device in every step."""

    def start(self, meta: Meta, support: Examples, ctx: Context) -> Fast:
        """As MAML's, once the device has done everything."""
        torch.zeros(1, device=support.inputs.device).item()
        return super().start(meta, support, ctx)


def test_what_waits_for_the_device_is_not_captured_and_the_thread_computes_where_it_did():
    about = spec("regression", 1)
    algorithm, meta = make("maml", about, inner_steps=2)
    batch, keys = noise_tasks(about, tasks=4, ways=1, shots=3, queries=3)
    there = tree_map(lambda value: value.cuda(), (meta, batch, keys))
    algorithm.network.module.cuda()
    waiting = Waiting(algorithm.config, algorithm.network, algorithm.spec)
    captured = Captured(Vectorized(waiting, 1))
    found = captured.gradient(*there, setting(algorithm, about)).total
    wanted = Vectorized(algorithm, 1).gradient(*there, setting(algorithm, about)).total
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value)
    (said,) = captured.news()
    assert said.sentence.startswith("the meta-step is not captured")
    assert torch.cuda.current_stream() == torch.cuda.default_stream()
