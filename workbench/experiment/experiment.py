"""The frozen experiment: everything that decides what a run computes."""

from __future__ import annotations

from typing import Literal

from pydantic import SerializeAsAny

from workbench.experiment.fields import Choice, Config, field


class TaskConfig(Config):
    """Shape of the tasks that are tested on, and trained on unless `training` says otherwise."""

    ways: int = field(5, label="Ways", help="Classes in a task.", ge=2, le=1000)
    shots: int = field(1, label="Shots", help="Labelled examples a class, or points of a function, to adapt to.",
                       ge=1, le=1000)
    queries: int = field(5, label="Queries", help="Examples a class, or points, that the adapted learner is judged on.",
                         ge=1, le=1000)


class TrainingConfig(Config):
    """How the outer loop runs."""

    iterations: int = field(2000, label="Iterations", help="Outer-loop updates.", ge=1, le=10_000_000, log=True)
    meta_batch: int = field(16, label="Meta-batch", unit="tasks", help="Tasks whose meta-gradients are averaged in "
                            "one outer update.", ge=1, le=10_000, log=True)
    optimizer: Literal["adam", "sgd"] = field("adam", label="Outer optimizer", help="What turns the meta-gradient into "
                                              "an update.", choices={"adam": "Adam", "sgd": "SGD"})
    outer_lr: float = field(1e-3, label="Outer rate", help="Learning rate of the outer loop.", gt=0, le=100, log=True)
    schedule: Literal["constant", "cosine", "linear"] = field(
        "cosine", label="Schedule", help="How the outer rate moves over the iterations; cosine and linear end at zero.",
        choices={"constant": "Constant", "cosine": "Cosine to zero", "linear": "Linear to zero"})
    clip: float | None = field(None, label="Clip norm", help="Largest norm of the meta-gradient; empty for no limit.",
                               gt=0, le=1e6, log=True, advanced=True)
    ways: int | None = field(None, label="Training ways", help="Classes in a training task; empty for those of the "
                             "task. Metric learners gain from more.", ge=2, le=1000, advanced=True)
    shots: int | None = field(None, label="Training shots", help="Support examples a class in training; empty for "
                              "those of the task.", ge=1, le=1000, advanced=True)
    queries: int | None = field(None, label="Training queries", help="Query examples a class in training; empty for "
                                "those of the task.", ge=1, le=1000, advanced=True)
    validate_every: int | None = field(None, label="Validate every", unit="iterations", help="Iterations between "
                                       "validations; empty for a twentieth of the run.", ge=1, advanced=True)
    validation_tasks: int = field(200, label="Validation tasks", help="Fixed tasks of the validation classes that the "
                                  "best checkpoint is chosen by.", ge=2, le=100_000, advanced=True)
    patience: int | None = field(None, label="Early stopping", unit="validations", help="Stop after so many "
                                 "validations without a better result; empty for never.", ge=1, advanced=True)
    checkpoint_every: int | None = field(None, label="Checkpoint every", unit="iterations", help="Iterations between "
                                         "checkpoints; empty for a twentieth of the run. One is also kept when a run "
                                         "stops.", ge=1, advanced=True)
    keep_checkpoints: int = field(2, label="Checkpoints kept", help="Latest checkpoints kept beside the best one.",
                                  ge=1, le=1000, advanced=True)
    executor: Literal["auto", "vectorized", "columns", "threads", "portions"] = field(
        "auto", label="Executor", help="How a batch of tasks is run: all at once over a task axis, its convolutions "
        "grouped or as matrix products of columns, task by task on as many threads as cores, or a portion at once on "
        "each thread. All give the same numbers to rounding. Automatic "
        "measures at the start of a run which is the fastest here, and remembers the answer; a run keeps its own.",
        choices={"auto": "Automatic", "vectorized": "Vectorized over tasks",
                 "columns": "Vectorized, by columns", "threads": "Task by task on threads",
                 "portions": "Portions of tasks on threads"},
        advanced=True)
    acceleration: Literal["auto", "none", "compile", "graphs"] = field(
        "auto", label="Acceleration", help="Automatic writes the operations of the meta-step down, on a CPU and after "
        "the first 4 to 30 seconds of a run, and replays them from then on, with the same numbers to the last bit. "
        "Compiling turns the meta-step into machine code of its own, which takes "
        "tens of seconds and a C++ compiler: training runs as usual until that is done. It pays for small networks "
        "and long runs. CUDA graphs let an NVIDIA GPU replay the meta-step and the outer update without Python. "
        "Compiled or captured, a resumed run equals one that was never stopped to rounding.",
        choices={"auto": "Automatic", "none": "None", "compile": "Compile in the background", "graphs": "CUDA graphs"},
        needs={"executor": ("auto", "vectorized", "columns", "portions")}, advanced=True)
    precision: Literal["float32", "tf32", "bf16"] = field(
        "float32", label="Precision", help="What the network's layers compute in. TF32 and bfloat16 keep fewer digits "
        "(10 and 8 bits) and are faster where the device has units for them: TF32 on NVIDIA GPUs, bfloat16 on those "
        "and on newer CPUs. Parameters, batch statistics, losses and closed-form solutions stay in float32.",
        choices={"float32": "float32", "tf32": "TF32 (NVIDIA GPUs)", "bf16": "bfloat16"}, advanced=True)
    recompute: bool = field(False, label="Recompute", help="Keeps only the weights between the inner steps and "
                            "computes each step again in the backward pass: memory hardly grows with the steps, and "
                            "a step takes longer. The gradients are the same.",
                            needs={"acceleration": ("auto", "none")}, advanced=True)


class EvaluationConfig(Config):
    """How a learner is judged."""

    tasks: int = field(1000, label="Test tasks", help="Fixed tasks of the test classes, drawn once at the end; the "
                       "95 % interval is over their means.", ge=2, le=1_000_000, log=True)
    probe_tasks: int = field(8, label="Probe tasks", help="Fixed held-out tasks whose adaptation is recorded all "
                             "through training.", ge=1, le=64, advanced=True)


class Experiment(Config):
    """What a person chose. Two equal experiments compute the same numbers on the same device.

    Make one with `workbench.experiment.resolve.resolve`, which fills in what suits the picks.
    """

    dataset: SerializeAsAny[Choice]
    task: TaskConfig
    backbone: SerializeAsAny[Choice]
    algorithm: SerializeAsAny[Choice]
    training: TrainingConfig
    evaluation: EvaluationConfig
    seed: int = field(0, label="Seed", help="Number that the initialization and every task are drawn from.",
                      ge=0, le=2**31 - 1)
    device: str = field("auto", label="Device", help="auto, cpu, mps, cuda or cuda:1; auto takes the fastest there is.")

    def training_task(self) -> TaskConfig:
        """Shape of the tasks that are trained on."""
        own = {name: getattr(self.training, name) for name in ("ways", "shots", "queries")}
        return self.task.model_copy(update={name: value for name, value in own.items() if value is not None})

    def every(self, interval: int | None) -> int:
        """Iterations between two validations or checkpoints, a twentieth of the run where none is given."""
        return interval or max(1, self.training.iterations // 20)
