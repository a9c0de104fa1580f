"""The metrics that a learner is judged by: what each is called, how it is shown and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Metric = Literal["accuracy", "balanced accuracy", "auroc", "mse"]


@dataclass(frozen=True)
class MetricWords:
    """How a metric is spoken of.

    Attributes:
        name: What it is called inside a sentence.
        title: What it is called in the title of a plot.
        label: With its unit, for an axis.
        loss: The loss that goes with it.
        is_share: Whether it is a share of one, of which more is better and which is shown in per cent; else an error,
            of which less is better.
    """

    name: str
    title: str
    label: str
    loss: str
    is_share: bool


WORDS: dict[str, MetricWords] = {
    "accuracy": MetricWords("accuracy", "Accuracy", "accuracy, %", "cross-entropy", is_share=True),
    "balanced accuracy": MetricWords("balanced accuracy", "Balanced accuracy", "balanced accuracy, %", "cross-entropy",
                                     is_share=True),
    "auroc": MetricWords("AUROC", "AUROC", "AUROC, %", "cross-entropy", is_share=True),
    "mse": MetricWords("mse", "Squared error", "mean squared error", "mean squared error", is_share=False),
}
_UNKNOWN = MetricWords("metric", "Metric", "metric", "loss", is_share=False)


def words_of(metric: str) -> MetricWords:
    """How a metric is spoken of; neutral words for none."""
    return WORDS.get(metric, _UNKNOWN)


def is_share(metric: str) -> bool:
    """Whether more of it is better and it is shown in per cent."""
    return words_of(metric).is_share


def as_error(metric: str, value: float) -> float:
    """The value, turned round where more is better, so that the least is always the best."""
    return -value if is_share(metric) else value


def result_in_words(metric: str, mean: float | None, ci95: float | None = None) -> str:
    """A result with its 95 % interval, such as "accuracy 93.4 % ± 0.5 %" or "mse 0.512 ± 0.031"."""
    if mean is None:
        return ""
    name = words_of(metric).name
    if is_share(metric):
        return f"{name} {100 * mean:.2f} %" + ("" if ci95 is None else f" ± {100 * ci95:.2f} %")
    return f"{name} {mean:.4g}" + ("" if ci95 is None else f" ± {ci95:.2g}")
