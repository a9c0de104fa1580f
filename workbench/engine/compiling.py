"""The process that compiles a meta-gradient: `python -m workbench.engine.compiling FOLDER`, started by `Compiled`.

The meta-gradient is recorded as one flat list of tensor operations: derivatives, the task axis and Python itself are
gone from it. That list is then compiled ahead of time.
"""

from __future__ import annotations

import os
import pickle
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx
from torch.utils import _pytree as pytree

from workbench.algorithms.base import Algorithm, Meta
from workbench.engine.acceleration import AccelerationError, Step, unmoved
from workbench.engine.executors import Setting, Vectorized
from workbench.tasks.base import TaskBatch

ORDER, PACKAGE, FAILURE, SHAPE = "order", "step.pt2", "failure.txt", "shape"
# Largest difference to what is not compiled, relative to the largest number of a tensor. One whose numbers are but
# rounding errors, as the gradient of a bias before a normalization, is measured by a share of the largest of all.
_SHARE = 0.01
_TOLERANCES = {torch.float64: 1e-9, torch.float32: 1e-4}


@dataclass(frozen=True)
class Order:
    """What is to be compiled.

    Attributes:
        algorithm: What learns.
        meta, batch, keys: Examples of what it will be given.
        setting: What is the same for every task.
        threads: Compute threads.
        device: Where it will run.
    """

    algorithm: Algorithm[Any]
    meta: Meta
    batch: TaskBatch
    keys: Tensor
    setting: Setting
    threads: int
    device: str


def flat(algorithm: Algorithm[Any], step: Step) -> tuple[fx.GraphModule, pytree.TreeSpec]:
    """The meta-gradient as one list of operations on the step's tensors, and how its results lie in a `Gradient`.

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

    graph = make_fx(run)(*step.tensors)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph, trees[-1]


def compile_into(folder: Path, order: Order) -> None:
    """Compile, compare with what is not compiled, and leave a package in the folder.

    Raises:
        AccelerationError: It cannot be compiled, or gives other numbers.
    """
    from torch._inductor import aoti_compile_and_package  # noqa: PLC0415

    torch.set_num_threads(order.threads)
    step = Step.of(order.meta, order.batch, order.keys, order.setting)
    tensors = [one.to(order.device) for one in step.tensors]
    step = step._replace(tensors=tensors)
    graph, tree = flat(order.algorithm, step)
    with torch.no_grad():
        exported = torch.export.export(graph, tuple(tensors))
        aoti_compile_and_package(exported, package_path=str(folder / PACKAGE),
                                 inductor_configs={"cpp.threads": order.threads, "compile_threads": 1})
        found = loaded(folder)(tensors)
    _compare(found, pytree.tree_leaves(step.gradient(Vectorized(order.algorithm, 1), tensors)))
    (folder / SHAPE).write_bytes(pickle.dumps(pytree.tree_unflatten(range(tree.num_leaves), tree)))


def loaded(folder: Path) -> Callable[[list[Tensor]], list[Tensor]]:
    """What was compiled into a folder.

    This is what `torch._inductor.aoti_load_package` ends in, less two seconds of importing a compiler.
    """
    loader = torch._C._aoti.AOTIModelPackageLoader(str(folder / PACKAGE), "model", True, 1, -1)
    run: Callable[[list[Tensor]], list[Tensor]] = loader.run
    return run


def _compare(found: list[Tensor], wanted: list[Tensor]) -> None:
    for one, other in zip(found, wanted, strict=True):
        tolerance = _TOLERANCES.get(other.dtype, 1e-2)
        if other.is_floating_point() and difference([one], [other], wanted) > tolerance:
            raise AccelerationError("the compiled meta-step gives other numbers")


def difference(found: list[Tensor], wanted: list[Tensor], among: list[Tensor] | None = None) -> float:
    """Largest difference of tensors, relative to the largest number of each, or to a share of the largest among all."""
    largest = max(float(one.abs().max()) for one in among or wanted if one.is_floating_point())
    return max((float((one - other).abs().max()) / max(float(other.abs().max()), _SHARE * largest, 1e-30)
                for one, other in zip(found, wanted, strict=True)
                if other.is_floating_point() and other.isfinite().all()), default=0.0)


def _in_words(error: BaseException) -> str:
    """Why it cannot be compiled, as a part of a sentence."""
    if type(error).__name__ == "InvalidCxxCompiler" or "InvalidCxxCompiler" in str(error):
        return ("there is no C++ compiler; install one (on Linux g++, on macOS the command line tools of Xcode, on "
                "Windows the C++ build tools of Visual Studio)")
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__


def main(folder: Path) -> int:
    """Do what the folder's order says; what stands in the way is left there as a sentence."""
    if hasattr(os, "nice"):
        os.nice(5)
    warnings.simplefilter("ignore")
    try:
        order: Order = pickle.loads((folder / ORDER).read_bytes())  # noqa: S301 - the parent's own folder
        compile_into(folder, order)
    except Exception as error:  # noqa: BLE001 - whatever it was, training goes on without
        (folder / FAILURE).write_text(_in_words(error), encoding="utf8")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
