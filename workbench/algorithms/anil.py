"""Almost no inner loop: only the head adapts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from workbench.algorithms.heads import HeadLearner
from workbench.algorithms.inner import AnyInnerLoop
from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind


class ANILConfig(AnyInnerLoop):
    """The inner loop of ANIL."""

    name: Literal["anil"] = "anil"
    inner_steps: int = field(5, label="Inner steps", help="Gradient steps on the head in training. They cost a matrix "
                             "product each, for the features are computed once.", ge=1, le=1000)
    inner_lr: float = field(0.1, label="Inner rate", help="Learning rate of the inner steps, on the mean loss.",
                            gt=0, le=1000, log=True, source="Raghu et al. 2020")


class ANIL(HeadLearner[ANILConfig]):
    """MAML whose inner loop adapts the head alone. The features are reused from task to task and learned by the outer
    loop only. They are computed once a task, so an inner step costs no more than a matrix product.

    **Update rule.** Inner: w_{s+1} = w_s - α ∇_w L_support(w_s, f_θ). Outer: min over (θ, w) of the mean L_query(w_S,
    f_θ), second derivatives included.

    **Source.** Raghu, Raghu, Bengio and Vinyals 2020, section 4.

    **Try.** Many inner steps, for they are cheap; the same settings with MAML beside it, to see what adapting the
    features is worth.

    **Goes wrong.** Where tasks need other features than those of training, the head alone cannot make up for it.
    """

    Config = ANILConfig
    title = "ANIL"
    source = "Raghu 2020"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """A smaller rate where the loss is not bounded by the number of classes; for pictures small meta-batches."""
        if kind == "classification":
            return {"algorithm.inner_lr": 0.1, "training.meta_batch": 8, "training.outer_lr": 0.003}
        return {"algorithm.inner_lr": 0.02}
