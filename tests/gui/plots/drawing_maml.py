"""A method with a drawing of every form, as another package would write it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from workbench.algorithms.base import Context, Drawing, Meta
from workbench.algorithms.inner import Fast
from workbench.algorithms.maml import MAML, MAMLConfig
from workbench.backbones.base import Params
from workbench.tasks.base import Task

ENTRIES = 8


class DrawingMAMLConfig(MAMLConfig):
    """The inner loop of MAML."""

    name: Literal["drawing_maml"] = "drawing_maml"  # type: ignore[assignment]


class DrawingMAML(MAML):
    """MAML that is drawn."""

    Config = DrawingMAMLConfig
    title = "MAML, drawn"

    def _names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.network.module.named_parameters())

    def drawings(self) -> dict[str, Drawing]:
        """A map of two signs, one of one, bars of both directions and a line."""
        names = self._names()
        return {
            "change": Drawing("Change of parameters", "How far the first entries of every layer have moved for this "
                              "task.", "layer", "entry", "change", names),
            "similarity": Drawing("Similarity", "Where each query looks in the support set.", "query",
                                  "support example", "share"),
            "distance": Drawing("Distance", "How far each layer has gone.", "layer", "all of it",
                                "distance", names, ("distance",)),
            "norms": Drawing("Sizes", "How large the initialization is.", "network", "layer", "norm", ("here",), names,
                             per_task=False),
            "weights": Drawing("Weights", "Every number of the initialization in a row.", "network", "number", "value",
                               per_task=False),
        }

    def draw(self, meta: Meta, state: Fast, task: Task, ctx: Context) -> Params:
        """The tables of these names."""
        names = self._names()
        moved = {name: state.params[name] - meta.params[name] for name in names}

        def few(values: Tensor) -> Tensor:
            return torch.cat([values.flatten(), values.new_zeros(ENTRIES)])[:ENTRIES]

        asked, known = (self.predict(meta, state, part.inputs, ctx) for part in (task.query, task.support))
        near = -(asked[:, None] - known[None]).square().sum(-1)
        return {"change": torch.stack([few(value) for value in moved.values()]),
                "similarity": near.softmax(-1),
                "distance": torch.stack([value.square().sum() for value in moved.values()]).sqrt()[:, None],
                "norms": torch.stack([meta.params[name].square().sum() for name in names]).sqrt()[None],
                "weights": torch.cat([meta.params[name].flatten() for name in names])[None]}
