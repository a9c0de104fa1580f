"""A pendulum or a cart-pole of unknown mass and length, whose next state is to be predicted from a few transitions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from workbench.experiment.fields import field
from workbench.experiment.registry import TaskKind
from workbench.tasks.base import Overview, Spec, Stream
from workbench.tasks.sampling.draws import Draws
from workbench.tasks.sampling.functions import FunctionTasks, FunctionTasksConfig, held_out

_GRAVITY = 9.81
_CART = 1.0  # kg
_SUBSTEPS = 4


@dataclass(frozen=True)
class System:
    """A thing that swings.

    Attributes:
        title: What it is called.
        state: What each number of the state is, and its unit.
        action: What acts on it, and its unit.
        limits: States and, last, actions are uniform from minus these to these.
        mass, length: Ranges in kg and m.
    """

    title: str
    state: tuple[str, ...]
    action: str
    limits: tuple[float, ...]
    mass: tuple[float, float]
    length: tuple[float, float]


SYSTEMS = {
    "pendulum": System("pendulum", ("angle from hanging (rad)", "angular speed (rad/s)"), "torque (N m)",
                       (math.pi, 4.0, 5.0), (0.5, 2.0), (0.5, 1.5)),
    "cart_pole": System("cart-pole", ("place of the cart (m)", "its speed (m/s)",
                                      "angle of the pole from upright (rad)", "its angular speed (rad/s)"),
                        "force on the cart (N)", (2.0, 2.0, math.pi, 3.0, 10.0), (0.1, 1.0), (0.5, 1.5)),
}


class PendulumConfig(FunctionTasksConfig):
    """What swings, and how far ahead is predicted."""

    name: Literal["pendulum"] = "pendulum"
    system: Literal["pendulum", "cart_pole"] = field(
        "pendulum", label="System", help="A mass on a rod that a torque turns, or a pole on a pushed cart.",
        choices={"pendulum": "Pendulum", "cart_pole": "Cart-pole"})
    step: float = field(0.1, label="Time step", unit="s", help="The change of the state over this time is predicted, "
                        "with the action held.", ge=0.01, le=0.5, advanced=True)


class Pendulum(FunctionTasks):
    """Few-shot adaptation of a robot's dynamics: from a few transitions of a pendulum or cart-pole of unknown mass and
    length, predict how any state changes under any action.

    An input is the state and the action, each divided by its deviation; the value is the change of every number of the
    state over the time step, in its own unit, integrated by the classical Runge-Kutta method. The pendulum is a mass on
    a weightless rod, 0.5-2 kg and 0.5-1.5 m, with angle, speed and torque; the cart-pole a uniform pole of 0.1-1 kg and
    0.5-1.5 m on a cart of 1 kg, without friction (Barto, Sutton and Anderson 1983).

    Mass and length are held out: each one's range is cut into twenty parts, of which validation has the 4th, 6th, 15th
    and 17th, testing the 3rd, 8th, 13th and 18th, and training the other twelve, so that no learner is tested on a mass
    or a length that it was trained on.
    """

    Config = PendulumConfig
    config: PendulumConfig
    title = "Pendulum"

    @classmethod
    def suggest(cls, kind: TaskKind) -> Mapping[str, Any]:  # noqa: ARG003
        """Twenty transitions, and a wider network than a sine wave needs."""
        return {"backbone.name": "mlp", "backbone.widths": (80, 80), "task.shots": 20, "task.queries": 20,
                "training.meta_batch": 25, "training.iterations": 10_000}

    @property
    def system(self) -> System:
        """What swings."""
        return SYSTEMS[self.config.system]

    def specify(self) -> Spec:
        """State and action in, change of the state out."""
        system = self.system
        raw = ", ".join((*system.state, system.action))
        deviation = tuple(limit / math.sqrt(3) for limit in system.limits)  # that of uniform numbers
        return Spec("regression", "vector", (len(system.limits),), len(system.state), (0.0,) * len(system.limits),
                    deviation, raw=raw)

    def parameters(self, draws: Draws, stream: Stream) -> Tensor:
        """Mass in kg and length in m."""
        numbers = held_out(torch.from_numpy(draws.uniform(2)), stream)
        ranges = torch.tensor([self.system.mass, self.system.length], dtype=numbers.dtype)
        return ranges[:, 0] + (ranges[:, 1] - ranges[:, 0]) * numbers

    def places(self, draws: Draws, count: int) -> Tensor:
        """States and actions, uniform between their limits."""
        limits = torch.tensor(self.system.limits, dtype=torch.float64)
        numbers = torch.from_numpy(draws.uniform(count * len(limits))).reshape(-1, count, len(limits))
        return limits * (2 * numbers - 1)

    def values(self, parameters: Tensor, inputs: Tensor) -> Tensor:
        """Change of each state over the time step."""
        mass, length = parameters[:, None].unbind(-1)
        states, action = inputs[..., :-1], inputs[..., -1]
        slope = {"pendulum": pendulum_slope, "cart_pole": cart_pole_slope}[self.config.system]
        now, time = states, self.config.step / _SUBSTEPS
        for _ in range(_SUBSTEPS):
            first = slope(now, action, mass, length)
            second = slope(now + time / 2 * first, action, mass, length)
            third = slope(now + time / 2 * second, action, mass, length)
            fourth = slope(now + time * third, action, mass, length)
            now = now + time / 6 * (first + 2 * second + 2 * third + fourth)
        return now - states

    def in_words(self, parameters: Sequence[float]) -> str:
        """Mass and length."""
        return f"{self.system.title}, {parameters[0]:.2f} kg, {parameters[1]:.2f} m"

    def overview(self) -> Overview:
        """The ranges; there are no files and no end of tasks."""
        system = self.system
        (light, heavy), (short, long) = system.mass, system.length
        return Overview(f"dynamics of a {system.title}",
                        f"state and action → change of the state in {self.config.step:g} s · mass {light}-{heavy} kg · "
                        f"length {short}-{long} m · tested on masses and lengths that training never has · drawn "
                        "without end")


def pendulum_slope(states: Tensor, torque: Tensor, mass: Tensor, length: Tensor) -> Tensor:
    """How fast each number of a pendulum's state changes.

    Args:
        states: [..., 2] angle from hanging in rad and angular speed in rad/s.
        torque: [...] in N m.
        mass, length: In kg and m, of shapes that broadcast.
    """
    angle, speed = states.unbind(-1)
    return torch.stack([speed, torque / (mass * length**2) - _GRAVITY / length * torch.sin(angle)], -1)


def cart_pole_slope(states: Tensor, force: Tensor, mass: Tensor, length: Tensor) -> Tensor:
    """How fast each number of a cart-pole's state changes (Barto, Sutton and Anderson 1983, without friction).

    Args:
        states: [..., 4] place in m and speed in m/s of the cart, angle from upright in rad and angular speed in rad/s.
        force: [...] in N.
        mass, length: Of the pole, in kg and m, of shapes that broadcast.
    """
    _, speed, angle, turning = states.unbind(-1)
    sine, cosine, half, whole = torch.sin(angle), torch.cos(angle), length / 2, _CART + mass
    pushed = (force + mass * half * turning**2 * sine) / whole
    turning_faster = (_GRAVITY * sine - cosine * pushed) / (half * (4 / 3 - mass * cosine**2 / whole))
    faster = pushed - mass * half * turning_faster * cosine / whole
    return torch.stack([speed, faster, turning, turning_faster], -1)
