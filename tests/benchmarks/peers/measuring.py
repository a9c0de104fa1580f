"""Candidates side by side: gradients compared first, then memory, then rounds in which everybody has a turn."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import psutil
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.benchmarks.machine import processor
from tests.benchmarks.peers import floor, ours
from tests.benchmarks.peers.candidate import OURS, PEERS
from tests.benchmarks.peers.problem import Problem
from workbench.engine.ways.work import cores

TOLERANCE = 1e-6
# Of a weight tensor whose gradient is smaller than this share of the largest, what is left is rounding: a bias before
# batch normalization has the gradient zero.
NEGLIGIBLE = 1e-6
ALL = tuple(peer.name for peer in PEERS)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Effort:
    """How long is measured.

    Attributes:
        rounds: Turns of each candidate.
        seconds: How long a turn is to take; at least one step.
    """

    rounds: int = 5
    seconds: float = 1.0


@dataclass
class Turn:
    """A candidate in its process.

    Attributes:
        who: Ours, the floor or the name of a peer.
        way: Which of its ways.
        found: What is known of it by now.
    """

    who: str
    way: str
    device: str
    found: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None

    @property
    def name(self) -> str:
        """How it is called in lists."""
        return f"{self.who} ({self.way})" if self.way else self.who

    @property
    def is_in(self) -> bool:
        """Whether it takes part: nothing has gone wrong yet."""
        return "refused" not in self.found

    def ask(self, do: str, **said: Any) -> dict[str, Any]:
        """Have something done; what goes wrong is remembered as the reason why it takes no further part."""
        if not self.is_in:
            return {}
        if self.process is None:
            command = [sys.executable, "-m", f"{__package__}.worker", self.who, self.way, self.device]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, **said}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        answer = cast("dict[str, Any]", json.loads(line)) if line else {"error": self._end()}
        if "error" in answer:
            self.refuse(answer["error"])
            return {}
        return answer

    def _end(self) -> str:
        assert self.process is not None
        return f"its process ended with status {self.process.wait()} (killed for want of memory where it is -9)"

    def refuse(self, why: str) -> None:
        """Take it out."""
        self.found["refused"] = why
        self.close()

    def close(self) -> None:
        """End its process."""
        if self.process is not None:
            self.process.communicate()
            self.process = None


def missing_peers() -> dict[str, str]:
    """Peers that are not installed in the version that is measured, and what to say of them."""
    found = {}
    for peer in PEERS:
        try:
            version = importlib.metadata.version(peer.distribution)
        except importlib.metadata.PackageNotFoundError:
            found[peer.name] = f"{peer.distribution} {peer.version} is not installed"
        else:
            if version != peer.version:
                found[peer.name] = f"{peer.distribution} {version} is installed, and {peer.version} is measured"
    return found


def turns(method: str, device: str, peers: Collection[str], *, compiles: bool = False) -> list[Turn]:
    """Everybody who has a method, ours first, then the peers; those that are not there or not wanted are refused."""
    found = [Turn(OURS, way, device) for way in ours.ways(device, compiles=compiles)]
    reasons = missing_peers() | {name: "left out on the command line" for name in ALL if name not in peers}
    for peer in PEERS:
        for way, methods in peer.ways.items():
            if method in methods:
                found.append(Turn(peer.name, way, device,
                                  {"refused": reasons[peer.name]} if peer.name in reasons else {}))
    return found


def difference(gradient: list[Tensor], reference: list[Tensor]) -> float:
    """The largest difference in any weight tensor over the largest gradient in it."""
    if [value.shape for value in gradient] != [value.shape for value in reference]:
        return float("inf")
    largest = [float(value.abs().max()) for value in reference]
    least = NEGLIGIBLE * max(largest)
    ratios = [float((one - other).abs().max()) / max(size, least)
              for one, other, size in zip(gradient, reference, largest, strict=True)]
    return max(ratios) if all(np.isfinite(ratios)) else float("inf")


def compare(everybody: list[Turn], path: Path) -> None:
    """Refuse whoever's meta-gradient in float64 is not that of the first."""
    reference: list[Tensor] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, turn in enumerate(everybody):
            turn.ask("open", path=str(path), dtype="float64")
            written = Path(folder) / str(number)
            turn.ask("gradient", path=str(written))
            if not turn.is_in:
                continue
            found = load_file(written)
            gradient = [found[str(index)] for index in range(len(found))]
            reference = reference or gradient
            turn.found["difference"] = difference(gradient, reference)
            if turn.found["difference"] > TOLERANCE:
                turn.refuse(f"its meta-gradient differs by {turn.found['difference']:.1e}")


class Field:
    """Everybody who has a method, each in a process of its own, for one problem after another.

    Args:
        method: maml, protonet or reptile.
        device: Where.
        effort: How long is measured.
        peers: Names of the peers that take part.
        remembers: Whether memory is measured too.
        compiles: Whether ours takes part compiled too.
    """

    def __init__(self, method: str, device: str, effort: Effort, peers: Collection[str] = ALL, *,
                 remembers: bool = True, compiles: bool = False) -> None:
        self.everybody = turns(method, device, peers, compiles=compiles)
        self.bottom = Turn(floor.FLOOR, "", device)
        self.device, self.effort, self.remembers = device, effort, remembers

    def __enter__(self) -> Field:
        return self

    def __exit__(self, *_: object) -> None:
        for turn in [*self.everybody, self.bottom]:
            turn.close()

    def measure(self, problem: Problem, say: Say = print) -> dict[str, Any]:
        """Measure everybody on a problem; whoever was refused before stays out.

        Args:
            problem: What is run.
            say: Told of every result.

        Returns:
            Plain values: the candidates with their seconds a step in every round, and the floor.
        """
        chosen = ours.chosen(problem.about.settings, self.device)
        for turn in [*self.everybody, self.bottom]:
            turn.found = {"refused": turn.found["refused"]} if not turn.is_in else {}
            if turn.who == OURS:
                turn.found["is_chosen"] = turn.way == chosen
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "problem.safetensors"
            problem.save(path)
            compare(self.everybody, path)
            for turn in [*self.everybody, self.bottom]:
                turn.found.update(turn.ask("open", path=str(path), dtype="float32"))
                if self.remembers and turn is not self.bottom:
                    turn.found.update(turn.ask("memory"))
            rounds([*self.everybody, self.bottom], self.effort)
        for turn in self.everybody:
            say(_told(turn))
        product = self.bottom.found.get("median")
        return {
            "about": {"method": problem.about.method, "tasks": problem.about.tasks, "steps": problem.about.steps,
                      "settings": [one for one in problem.about.settings if not one.startswith("dataset.path")]},
            "device": self.device, "rounds": self.effort.rounds, "operations": floor.operations(problem),
            "product_rate": floor.product_operations(self.device) / product if product else None,
            "machine": machine(self.device), "measured_at": time.strftime("%Y-%m-%d %H:%M:%S"),
            "results": [{"who": turn.who, "way": turn.way, **turn.found} for turn in self.everybody],
        }


def rounds(everybody: list[Turn], effort: Effort) -> None:
    """Have everybody take turns; in every round another one begins.

    Everybody has the threads that it has by default. Peers take a last turn with a single thread, for with small
    tensors that may be the faster setting, and whoever reads the numbers should know.
    """
    steps = {}
    for turn in everybody:
        pace = turn.ask("pace")
        if pace:
            steps[turn.name] = max(1, round(effort.seconds / max(pace["seconds"], 1e-6)))
            turn.found["seconds"] = []
    for number in range(effort.rounds):
        at = number % len(everybody)
        for turn in [*everybody[at:], *everybody[:at]]:
            answer = turn.ask("round", steps=steps.get(turn.name, 1))
            if answer:
                turn.found["seconds"].append(answer["seconds"])
    for turn in everybody:
        if turn.is_in:
            turn.found["median"] = statistics.median(turn.found["seconds"])
        if turn.is_in and turn.found.get("threads", 1) > 1 and turn.who not in (OURS, floor.FLOOR):
            turn.found["one_thread"] = turn.ask("round", steps=steps[turn.name], threads=1).get("seconds")


def _told(turn: Turn) -> str:
    found = turn.found
    if not turn.is_in:
        return f"  {turn.name:34} {found['refused']}"
    memory = found.get("step_bytes")
    room = f", {memory / 2**20:,.0f} MB" if memory is not None else ""
    return f"  {turn.name:34} {1e3 * found['median']:10.2f} ms, gradient ± {found['difference']:.0e}{room}"


def machine(device: str) -> dict[str, Any]:
    """What the numbers were measured on and with."""
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    for peer in PEERS:
        if peer.name not in missing_peers():
            versions[peer.distribution] = peer.version
    hardware = {"processor": processor(), "cores": cores(), "memory_gib": round(psutil.virtual_memory().total / 2**30),
                "system": platform.system()}
    if device == "cuda":
        hardware["gpu"] = torch.cuda.get_device_name()
    return {**hardware, "versions": versions}
