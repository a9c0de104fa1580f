"""MAML with implicit gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from workbench.algorithms.base import Algorithm, Aux, Context, Meta, adapt
from workbench.algorithms.derivatives import grad, grad_and_value, hessian_product
from workbench.algorithms.inner import AnyInnerLoop, Fast, begin, descend
from workbench.backbones.base import Params
from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Examples, Task

# A convex support loss has one and more in units of the identity; a step along far less would drown everything else.
_LEAST_CURVATURE = 0.1


class IMAMLConfig(AnyInnerLoop):
    """The regularized inner problem, and how the linear system of its derivative is solved."""

    name: Literal["imaml"] = "imaml"
    inner_steps: int = field(16, label="Inner steps", help="Gradient steps on the regularized support loss. The "
                             "meta-gradient is exact where they reach its minimum; more cost time, but no memory.",
                             ge=1, le=1000, source="Rajeswaran et al. 2019, table 2")
    proximal: float = field(2.0, label="Proximal weight λ", help="How strongly the adapted weights are held near the "
                            "initialization.", gt=0, le=1e6, log=True, source="Rajeswaran et al. 2019, table 2")
    conjugate_steps: int = field(5, label="Conjugate gradient steps", help="Hessian-vector products spent on the "
                                 "meta-gradient of a task; one leaves it parallel to first-order MAML's.", ge=1,
                                 le=1000, source="Rajeswaran et al. 2019, table 2")
    damping: float = field(0.0, label="Damping", help="Added to the identity in the linear system: steadier where the "
                           "support loss is far from convex, and less exact.", ge=0, le=1000, advanced=True)


class IMAML(Algorithm[IMAMLConfig]):
    """MAML whose meta-gradient looks only at where the inner loop ended and not at how it came there. The inner loop
    stays near the initialization by a proximal term, and the derivative of its solution follows from a linear
    system. Memory does not grow with the inner steps, however many there are.

    **Update rule.** Inner: φ_{s+1} = φ_s - α (∇ L_support(φ_s) + λ (φ_s - θ)), or a step of another optimizer along the
    same gradient. Outer: θ ← θ - β mean over tasks of g, where (I + H/λ) g = ∇ L_query(φ_S) and H is the Hessian of the
    support loss at φ_S. Conjugate gradient solves for g from products H v alone, and stops where it meets negative
    curvature or next to none; where that is at once, g is the right side.

    **Source.** Rajeswaran, Finn, Kakade and Levine 2019, algorithms 1 and 2. The paper's code takes plain SGD steps
    with one pull towards θ after them, doubles the identity, adds ten to λ in the system and drops λ in testing; here
    all of it is as the paper says, and `damping` is there for the identity.

    **Try.** More inner steps, which cost no memory; λ ten times larger or smaller; one conjugate gradient step against
    five, to see what the curvature is worth.

    **Goes wrong.** Too few inner steps end far from the minimum, and the meta-gradient is biased. An inner rate above
    2/(λ + the largest curvature) diverges. With a large λ nothing adapts; with a small one the system is
    ill-conditioned and wants more conjugate gradient steps.
    """

    Config = IMAMLConfig
    title = "iMAML"
    source = "Rajeswaran 2019"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:
        """A clipped gradient, for nothing in the meta-gradient keeps the inner loop from diverging, as differentiating
        through it would; on functions a smaller outer rate too.

        For pictures three larger steps and one conjugate gradient step where the paper takes 16 and five: learning that
        fits a CPU. So far from the minimum the curvature says little that is true, and more of it learns less.
        """
        if kind == "classification":
            return {"training.outer_lr": 0.003, "training.meta_batch": 8, "training.clip": 1.0,
                    "algorithm.inner_steps": 3, "algorithm.inner_lr": 0.2, "algorithm.proximal": 1.0,
                    "algorithm.conjugate_steps": 1}
        return {"training.outer_lr": 0.001, "training.clip": 1.0, "training.iterations": 4000,
                "algorithm.inner_lr": 0.01, "algorithm.proximal": 1.0}

    @classmethod
    def keeps_no_steps(cls, config: Any) -> str:  # noqa: ARG003
        """Nothing is differentiated through the steps."""
        return "differentiates at the solution and not through the steps, so that nothing of a step is kept"

    def inner_loop(self) -> dict[str, Any]:
        """On all weights, with the proximal term."""
        return {"adapts": "all weights", **super().inner_loop(), "proximal": self.config.proximal}

    def start(self, meta: Meta, support: Examples, ctx: Context) -> Fast:  # noqa: ARG002
        """The initialization itself."""
        return begin(self.config.inner_optimizer, meta.params)

    def step(self, meta: Meta, state: Fast, support: Examples, ctx: Context) -> Fast:  # noqa: ARG002
        """One step on the support loss with the proximal term."""
        gradient = grad(self.support_loss(support))(state.params)
        pulled = {name: gradient[name] + self.config.proximal * (value - meta.params[name])
                  for name, value in state.params.items()}
        return descend(self.config.inner_optimizer, state, pulled, self.config.inner_lr)

    def predict(self, meta: Meta, state: Fast, inputs: Tensor, ctx: Context) -> Tensor:  # noqa: ARG002
        """The network with the adapted weights."""
        return self.network(state.params, inputs, ctx.reference)

    def meta_gradient(self, meta: Meta, task: Task, ctx: Context) -> tuple[Params, Aux]:
        """(I + H/λ)⁻¹ ∇ L_query at the adapted weights."""
        adapted = adapt(self, meta, task.support, ctx).params

        def loss(params: Params) -> tuple[Tensor, Tensor]:
            outputs = self.network(params, task.query.inputs, ctx.reference)
            return self.loss(outputs, task.query.targets), outputs

        direct, (value, outputs) = grad_and_value(loss, has_aux=True)(adapted)
        hessian = hessian_product(self.support_loss(task.support), adapted)

        def system(vector: Params) -> Params:
            return _plus(vector, hessian(vector), 1 / self.config.proximal, 1 + self.config.damping)

        gradient = conjugate_gradient(system, direct, self.config.conjugate_steps)
        return gradient, self.aux(value, outputs, task, meta.buffers, ctx)


def conjugate_gradient(system: Callable[[Params], Params], right: Params, steps: int) -> Params:
    """Solve system(x) = right for a symmetric system, so many steps from zero (Hestenes and Stiefel 1952).

    It goes no further where a direction has negative curvature or next to none, as in truncated Newton methods
    (Nocedal and Wright 2006, algorithm 7.1); where the first is such, the answer is `right`.

    Args:
        system: The linear map.
        right: What it is to give.
        steps: Times that it is applied.
    """
    solution = {name: torch.zeros_like(value) for name, value in right.items()}
    residual = direction = right
    square = _dot(right, right)
    goes_on = torch.ones_like(square, dtype=torch.bool)
    for step in range(steps):
        image = system(direction)
        curvature = _dot(direction, image)
        # Mapped over tasks a stop cannot leave the loop: a task that has stopped takes steps of length zero.
        goes_on = goes_on & (curvature > _LEAST_CURVATURE * _dot(direction, direction))
        length = torch.where(goes_on, square / torch.where(goes_on, curvature, 1), 0)
        solution = _plus(solution, direction, length)
        if step == 0:
            solution = {name: torch.where(goes_on, value, right[name]) for name, value in solution.items()}
        residual = _plus(residual, image, -length)
        before, square = square, _dot(residual, residual)
        direction = _plus(residual, direction, square / torch.where(before > 0, before, 1))
    return solution


def _plus(one: Params, other: Params, by: float | Tensor, scale: float = 1.0) -> Params:
    """scale · one + by · other."""
    return {name: scale * value + by * other[name] for name, value in one.items()}


def _dot(one: Params, other: Params) -> Tensor:
    return torch.stack([(value * other[name]).sum() for name, value in one.items()]).sum()
