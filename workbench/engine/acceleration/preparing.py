"""The process that prepares a meta-gradient: this module run with a folder, which `Prepared` does.

The meta-gradient is written down as one flat list of tensor operations: derivatives, the task axis and Python itself
are gone from it. That list is kept as it is, to be replayed, or compiled ahead of time.
"""

from __future__ import annotations

import os
import pickle
import shutil
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils import _pytree as pytree

from workbench.algorithms.base import Algorithm
from workbench.engine.acceleration.base import AccelerationError, Step, unmoved
from workbench.engine.acceleration.order import FAILURE, ORDER, PACKAGE, SCRIPT, SHAPE, Order, compiled
from workbench.engine.acceleration.replay import can_replay
from workbench.engine.acceleration.writing import script
from workbench.engine.executors.vectorized import Vectorized
from workbench.engine.precision import arithmetic
from workbench.engine.words import in_words

# Largest difference to what is not compiled, relative to the largest number of a tensor. One whose numbers are but
# rounding errors, as the gradient of a bias before a normalization, is measured by a share of the largest of all.
_SHARE = 0.01
_TOLERANCES = {torch.float64: 1e-9, torch.float32: 1e-4}
# Rounding turns a few units on or off, more of them the larger the network. What is compiled may be so many times as
# far from what double precision gives as what is not.
_AS_FAR, _FARTHEST = 5, 0.05
# How often, and how long apart, the folder is removed of somebody who is gone.
_TRIES, _TRY_SECONDS = 500, 0.01


def flat(algorithm: Algorithm[Any], step: Step) -> tuple[fx.GraphModule, pytree.TreeSpec]:
    """The meta-gradient as one list of operations on the step's tensors, and how its results lie in a `MetaGradient`.

    Raises:
        ChangingError: The meta-step depends on how much of the training is done.
    """
    from torch.fx.experimental.proxy_tensor import make_fx  # noqa: PLC0415 - brings SymPy along

    executor = Vectorized(algorithm, 1)
    fixed, trees = step._replace(setting=unmoved(step.setting)), []

    def run(*tensors: Tensor) -> list[Tensor]:
        values, tree = pytree.tree_flatten(fixed.gradient(executor, list(tensors)))
        trees.append(tree)
        return values

    return make_fx(run)(*step.tensors), trees[-1]


def prepare_into(folder: Path, order: Order) -> None:
    """Prepare, compare with what is not prepared, and leave what was made in the folder.

    Raises:
        AccelerationError: It cannot be prepared, or gives other numbers.
    """
    if order.kind == "compile":
        _check_compiler()
    torch.set_num_threads(order.threads)
    step = Step.of(order.meta, order.batch, order.keys, order.setting)
    step = step._replace(tensors=[one.to(order.device) for one in step.tensors])
    graph, tree = flat(order.algorithm, step)
    (_write if order.kind == "replay" else _compile)(folder, order, graph, step)
    (folder / SHAPE).write_bytes(pickle.dumps(pytree.tree_unflatten(range(tree.num_leaves), tree)))


def _write(folder: Path, order: Order, graph: fx.GraphModule, step: Step) -> None:
    if not can_replay():
        raise AccelerationError(f"torch {torch.__version__} lacks what replaying takes")
    found = script(graph, step.tensors)
    run, plain = found.run(), Vectorized(order.algorithm, 1)
    for tensors in (step.tensors, _others(step)):
        pairs = zip(run(tensors), pytree.tree_leaves(step.gradient(plain, tensors)), strict=True)
        if not all(_are_the_same(one, other) for one, other in pairs):
            raise AccelerationError("the replayed meta-step gives other numbers")
    (folder / SCRIPT).write_bytes(pickle.dumps(found))


def _others(step: Step) -> list[Tensor]:
    """Other numbers, elsewhere in memory, as the next chunk's are: the tasks in reverse, their inputs with other signs.
    """
    meta, batch, keys = pytree.tree_unflatten(step.tensors, step.tree)
    moved = pytree.tree_map(lambda one: one * 1.001 if one.is_floating_point() else one, meta)
    tasks = pytree.tree_map(lambda one: -0.9 * one.flip(0) if one.is_floating_point() else one.flip(0), (batch, keys))
    return [torch.stack([one, one])[1] for one in pytree.tree_leaves((moved, *tasks))]


def _check_compiler() -> None:
    """Raise torch's InvalidCxxCompiler where there is no compiler, which it would do after half of the work as well."""
    with suppress(ImportError):  # what torch calls it may change
        from torch._inductor.cpp_builder import get_cpp_compiler  # noqa: PLC0415

        get_cpp_compiler()


def _compile(folder: Path, order: Order, graph: fx.GraphModule, step: Step) -> None:
    from torch._inductor import aoti_compile_and_package  # noqa: PLC0415

    with torch.no_grad():
        exported = torch.export.export(graph, tuple(step.tensors))
        aoti_compile_and_package(exported, package_path=str(folder / PACKAGE),
                                 inductor_configs={"cpp.threads": order.threads, "compile_threads": 1})
    plain = Vectorized(order.algorithm, 1)
    # Only here, for the compiler asks for the precision in a way that torch refuses where it was set as this does.
    with arithmetic(order.precision, torch.device(order.device)):
        with torch.no_grad():
            found = compiled(folder)(step.tensors)
        is_near = are_as_near(
            found, pytree.tree_leaves(step.gradient(plain, step.tensors)),
            lambda: pytree.tree_leaves(step.gradient(plain, [_in_double(one) for one in step.tensors])))
    if not is_near:
        raise AccelerationError("the compiled meta-step gives other numbers")


def _are_the_same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are of one kind and have the same numbers, what is not a number included."""
    return one.dtype == other.dtype and one.shape == other.shape and torch.allclose(one, other, 0, 0, equal_nan=True)


def are_as_near(found: list[Tensor], plain: list[Tensor], exact: Callable[[], list[Tensor]]) -> bool:
    """Whether each tensor has the numbers of the plain meta-step, or numbers as near to the exact ones as those are.

    Args:
        found: What is judged.
        plain: What the plain meta-step gives.
        exact: Gives the same in double precision, where that has to be known.
    """
    if not all(torch.equal(one.isfinite(), other.isfinite()) for one, other in zip(found, plain, strict=True)):
        return False
    far = [place for place, (one, other) in enumerate(zip(found, plain, strict=True)) if other.is_floating_point()
           and difference([one], [other], plain) > _TOLERANCES.get(other.dtype, 1e-2)]
    if not far:
        return True
    wanted = exact()
    limit = min(_AS_FAR * difference(plain, wanted), _FARTHEST)
    return all(difference([found[place]], [wanted[place]], wanted) <= limit for place in far)


def _in_double(value: Tensor) -> Tensor:
    return value.double() if value.is_floating_point() else value


def difference(found: list[Tensor], wanted: list[Tensor], among: list[Tensor] | None = None) -> float:
    """Largest difference of tensors, relative to the largest number of each, or to a share of the largest among all."""
    largest = max(float(one.abs().max()) for one in among or wanted if one.is_floating_point())
    return max((float((one - other).abs().max()) / max(float(other.abs().max()), _SHARE * largest, 1e-30)
                for one, other in zip(found, wanted, strict=True)
                if other.is_floating_point() and other.isfinite().all()), default=0.0)


def _why(error: BaseException) -> str:
    """Why it cannot be prepared, as a part of a sentence."""
    if type(error).__name__ == "InvalidCxxCompiler" or "InvalidCxxCompiler" in str(error):
        return ("there is no C++ compiler; install one (on Linux g++, on macOS the command line tools of Xcode, on "
                "Windows the C++ build tools of Visual Studio)")
    return in_words(error)[:300]


def _end_with_parent(folder: Path, ended: threading.Event) -> None:
    """Wait for the end of who started this process, which closes its input, and leave nothing behind."""
    while os.read(0, 1):  # a file object would hold up the end of Python
        pass
    ended.set()
    for _ in range(_TRIES):  # what is at work meanwhile may still write into it
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            break
        time.sleep(_TRY_SECONDS)
    os._exit(1)


def main(folder: Path) -> int:
    """Do what the folder's order says; what stands in the way is left there as a sentence."""
    if hasattr(os, "nice"):
        os.nice(5)
    with suppress(OSError):  # where memory runs out, Linux is to end this process rather than the one that trains
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    warnings.simplefilter("ignore")
    try:
        order: Order = pickle.loads((folder / ORDER).read_bytes())  # noqa: S301 - the parent's own folder
        prepare_into(folder, order)
    except Exception as error:  # noqa: BLE001 - whatever it was, training goes on without
        (folder / FAILURE).write_text(_why(error), encoding="utf8")
        return 1
    return 0


if __name__ == "__main__":
    parent_ended = threading.Event()
    watch = threading.Thread(target=_end_with_parent, args=(Path(sys.argv[1]), parent_ended), daemon=True)
    watch.start()
    try:
        status = main(Path(sys.argv[1]))
    finally:
        if parent_ended.is_set():
            watch.join()
    sys.exit(status)
