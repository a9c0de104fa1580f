"""How well the queries of a task were answered, by each of the metrics."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from workbench.experiment.metrics import Metric


def judged(metric: Metric, outputs: Tensor, targets: Tensor) -> Tensor:
    """The metric of one task, a scalar; it may be mapped over tasks.

    Args:
        metric: Which; AUROC of more than two classes is their balanced accuracy.
        outputs: Logits or values [n, outputs].
        targets: Class numbers [n], or values [n, outputs].
    """
    if metric == "mse":
        return F.mse_loss(outputs, targets)
    if metric == "accuracy":
        return (outputs.argmax(-1) == targets).to(outputs.dtype).mean()
    if metric == "auroc" and outputs.shape[-1] == 2:
        return auroc(outputs, targets)
    return balanced_accuracy(outputs, targets)


def by_task(values: NDArray[np.float64], around: int | None) -> NDArray[np.float64]:
    """What was reached on draws [draws, ...] that went round so many tasks, as the mean for each task [tasks, ...].

    Draws of one task are no news of others, so an interval over all of them would be too narrow. They are left as they
    are where no task was drawn twice, and where there is but one, over which there is no interval.
    """
    if around is None or not 1 < around < len(values):
        return values
    with np.errstate(invalid="ignore", over="ignore"):  # a learner that diverges on a task scores no number
        return np.stack([values[first::around].mean(0) for first in range(around)])


def balanced_accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean recall over the classes that occur in targets [n], with outputs [n, classes].

    Source: Brodersen et al. 2010, "The balanced accuracy and its posterior distribution".
    """
    labels = torch.arange(outputs.shape[-1], device=outputs.device)
    of_class = (targets.unsqueeze(-1) == labels).to(outputs.dtype)
    right = (outputs.argmax(-1) == targets).to(outputs.dtype)
    sizes = of_class.sum(0)
    recalls = right @ of_class / sizes.clamp(min=1)
    return recalls.sum() / (sizes > 0).to(outputs.dtype).sum().clamp(min=1)


def auroc(outputs: Tensor, targets: Tensor) -> Tensor:
    """Share of the pairs of a 1 and a 0 in targets [n] that the difference of outputs [n, 2] ranks rightly.

    A tie counts half, and 0.5 is all there is to say where one class is missing. It is the area under the receiver
    operating characteristic (Fawcett 2006, section 7).
    """
    scores = outputs[..., 1] - outputs[..., 0]
    one, zero = ((targets == label).to(outputs.dtype) for label in (1, 0))
    difference = scores.unsqueeze(-1) - scores.unsqueeze(-2)
    wins = (difference > 0).to(outputs.dtype) + 0.5 * (difference == 0).to(outputs.dtype)
    pairs = one.unsqueeze(-1) * zero.unsqueeze(-2)
    count = pairs.sum()
    return torch.where(count > 0, (wins * pairs).sum() / count.clamp(min=1), 0.5)
