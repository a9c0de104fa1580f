"""What is special to CUDA devices; it runs where there is one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils._pytree import tree_map

from tests.problems import executor, make, noise_tasks, setting, spec
from workbench.engine.arriving import Arriving
from workbench.engine.events import Checkpoint, Finished, Noticed, Steps
from workbench.engine.forecast import forecast
from workbench.engine.memory.chunks import give_back
from workbench.engine.session import Session
from workbench.engine.trainer import train
from workbench.experiment.resolve import resolve, with_settings

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

GLYPHS = ("dataset=glyphs", "backbone.filters=16", "training.iterations=12", "training.meta_batch=8",
          "training.validation_tasks=10", "evaluation.tasks=20", "evaluation.probe_tasks=2",
          "training.validate_every=6", "training.executor=vectorized", "algorithm.inner_steps=3")


# Large enough that what libraries keep for themselves is little beside it.
LARGE = ("backbone.filters=64", "training.meta_batch=32", "training.queries=15", "training.iterations=4",
         "training.validate_every=4")


def opened(*settings: str) -> Session:
    return Session(resolve(with_settings({}, [*GLYPHS, "device=cuda", *settings])))


def trained(*settings: str):
    return list(train(resolve(with_settings({}, [*GLYPHS, "device=cuda", *settings]))))


def losses(events) -> np.ndarray:
    return np.concatenate([event.loss for event in events if isinstance(event, Steps)])


def test_numbers_arrive_without_anybody_waiting_for_those_before_them():
    turned, _ = torch.linalg.qr(torch.randn(1000, 1000, device="cuda", dtype=torch.float64))
    values = turned
    for _ in range(50):
        values = values @ turned
    arriving = Arriving([values.sum(), values[0]])
    total, row = arriving.numbers()
    assert arriving.has_arrived
    assert np.linalg.norm(row) == pytest.approx(1.0)
    np.testing.assert_allclose(row, values[0].cpu().numpy())
    assert float(total) == pytest.approx(float(values.sum()))


def test_steps_are_told_in_order_and_none_is_left_out():
    events = trained()
    assert isinstance(events[-1], Finished)
    blocks = [event for event in events if isinstance(event, Steps)]
    assert [event.first for event in blocks] == [1, *(event.last + 1 for event in blocks[:-1])]
    assert blocks[-1].last == 12


@pytest.mark.parametrize("how", ["vectorized", "columns"])
def test_meta_gradients_are_those_of_a_cpu_in_double_precision(how):
    about = spec("classification", 3, picture=True)
    algorithm, meta = make("maml", about, inner_steps=2)
    batch, keys = noise_tasks(about, tasks=4, ways=3, shots=2, queries=2)
    looped, runner = executor("threads", algorithm), executor(how, algorithm)
    expected = looped.gradient(meta, batch, keys, setting(algorithm, about)).total
    looped.close()
    there = tree_map(lambda value: value.cuda(), (meta, batch, keys))
    algorithm.network.module.cuda()
    found = runner.gradient(*there, setting(algorithm, about)).total
    size = max(1.0, *(value.norm().item() for value in expected.values()))
    for name, value in expected.items():
        torch.testing.assert_close(found[name].cpu(), value, rtol=1e-10, atol=1e-10 * size)


def test_recomputed_steps_give_the_same_run():
    np.testing.assert_allclose(losses(trained("training.recompute=true")), losses(trained()), rtol=1e-3)


def test_tf32_and_bfloat16_train():
    single = losses(trained())
    for precision in ("tf32", "bf16"):
        narrow = losses(trained(f"training.precision={precision}"))
        assert np.isfinite(narrow).all()
        np.testing.assert_allclose(narrow[:3], single[:3], rtol=0.1)


def test_too_little_memory_halves_the_chunk():
    session = opened(*LARGE)
    told, source = forecast(session), session.source
    events = list(train(session.experiment, source=source))  # libraries take their own before there is too little
    assert isinstance(events[-1], Finished)
    session.close()
    give_back()
    _, total = torch.cuda.mem_get_info()
    held = torch.cuda.memory_reserved()
    torch.cuda.set_per_process_memory_fraction((held + told.learner + 0.6 * told.training) / total)
    try:
        events = list(train(session.experiment, source=source))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert isinstance(events[-1], Finished)
    assert any(isinstance(event, Noticed) for event in events)
    assert [event for event in events if isinstance(event, Checkpoint)][-1].state.chunk < session.chunk


def test_the_forecast_is_near_what_the_allocator_says():
    session = opened(*LARGE)
    meta, (batch, keys) = session.init(), session.batch("train", range(session.chunk))
    setting = session.setting(training=True)
    session.executor.gradient(meta, batch, keys, setting)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    session.executor.gradient(meta, batch, keys, setting)
    measured = torch.cuda.max_memory_allocated() - before
    told = forecast(session).training
    session.close()
    assert told == pytest.approx(measured, rel=0.3)  # cuDNN's workspaces are no torch operation's


def test_a_run_that_is_gone_on_with_ends_as_one_that_never_stopped():
    experiment = resolve(with_settings({}, [*GLYPHS, "device=cuda", "training.checkpoint_every=6"]))
    kept = [event.state for event in train(experiment) if isinstance(event, Checkpoint)]
    middle = next(state for state in kept if state.step == 6)
    end = [event.state for event in train(experiment, state=middle) if isinstance(event, Checkpoint)][-1]
    for name, value in kept[-1].tensors().items():
        assert torch.equal(end.tensors()[name], value), name


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
@pytest.mark.parametrize("acceleration", ["none", "graphs"])
def test_the_second_gpu_gives_the_numbers_of_the_first(acceleration):
    first, second = (losses(trained(f"training.acceleration={acceleration}", f"device=cuda:{index}"))
                     for index in range(2))
    np.testing.assert_allclose(second, first, rtol=1e-3)
