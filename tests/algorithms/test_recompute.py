"""Inner steps that are computed again give the same gradients, and take memory that hardly grows with them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.peaks import peak_bytes
from tests.problems import KINDS, algorithms_for, executor, make, noise_tasks, setting, spec
from workbench.experiment import registry

UNROLLED = ("maml", "meta_sgd", "maml_pp", "cavia", "meta_rnn", "learned_optimizer")


@pytest.mark.parametrize("case", [(name, kind) for kind in KINDS for name in algorithms_for(kind)], ids="-".join)
@pytest.mark.parametrize("how", ["vectorized", "threads"])
def test_recomputed_steps_give_the_same_gradients(case, how):
    name, kind = case
    about = spec(kind, 3, picture=name in UNROLLED)
    config = {"inner_steps": 3} if "inner_steps" in registry.find("algorithm", name).Config.model_fields else {}
    algorithm, meta = make(name, about, **config)
    batch, keys = noise_tasks(about, tasks=2, ways=3, shots=2, queries=3)
    chosen = setting(algorithm, about, inductive=name in UNROLLED)
    runner = executor(how, algorithm)
    kept, again = (runner.gradient(meta, batch, keys, replace(chosen, recompute=one)) for one in (False, True))
    runner.close()
    size = max(1.0, *(value.norm().item() for value in kept.total.values()))
    for key, value in kept.total.items():
        torch.testing.assert_close(again.total[key], value, rtol=1e-10, atol=1e-10 * size)
    torch.testing.assert_close(again.aux.loss, kept.aux.loss, rtol=1e-10, atol=1e-10)


def test_recomputed_steps_take_memory_that_hardly_grows_with_them():
    about = spec("classification", 3, picture=True)
    peaks = {}
    for steps in (2, 12):
        algorithm, meta = make("maml", about, inner_steps=steps)
        batch, keys = noise_tasks(about, tasks=4, ways=3, shots=5, queries=5)
        runner = executor("vectorized", algorithm)
        for again in (False, True):
            chosen = replace(setting(algorithm, about), recompute=again)
            peaks[steps, again] = peak_bytes(lambda runner=runner, meta=meta, batch=batch, keys=keys, chosen=chosen:
                                             runner.gradient(meta, batch, keys, chosen))
    assert peaks[12, False] > 3 * peaks[2, False]
    assert peaks[12, True] < 1.5 * peaks[2, True]
    assert peaks[12, True] < 0.4 * peaks[12, False]
