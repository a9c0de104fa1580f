"""Several processes as one: tasks are shared out by index, and what was found is put together on all of them.

Each process runs the same program. They agree by meeting: whenever something is put together, every process says first
whether it failed and whether it was asked to stop or wait, so that all of them fail, stop and wait at the same place
and none is left in a collective that the others never reach. Nothing else calls torch.distributed.
"""

from __future__ import annotations

import math
import os
import socket
import time
import uuid
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import psutil
import torch
import torch.distributed as dist
from torch import Tensor

from workbench.algorithms.base import Aux
from workbench.engine.control import Control
from workbench.engine.devices import DeviceError
from workbench.engine.distribution.launch import Launch, launch
from workbench.engine.distribution.world import ALONE, LostError, PeerError, Share, World, WorldError
from workbench.engine.executors.gradients import MetaGradient
from workbench.engine.words import in_words
from workbench.words import counted

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

T = TypeVar("T")

_PAUSE_SECONDS = 0.2
_POLL_SECONDS = 0.02
_PARTING_SECONDS = 1.0


class _SharedControl(Control):
    """Asks for what was asked for in any of the processes, as they agreed when they met last."""

    def __init__(self, own: Control, group: Group) -> None:
        super().__init__()
        self._own = own
        self._group = group

    @property
    def is_stopping(self) -> bool:
        return self._group.is_stopping

    @property
    def is_paused(self) -> bool:
        return self._group.is_paused and not self._group.is_stopping

    def wait(self, seconds: float | None = None) -> None:  # noqa: ARG002
        """Wait together until nobody is paused, looking up often enough that nobody is given up for lost."""
        while self.is_paused:
            self._own.wait(_PAUSE_SECONDS)
            self._group.barrier()


class Group(World):
    """A process among others.

    Args:
        place: Which of them it is.

    Attributes:
        is_stopping, is_paused: What was asked for in any of them, as of the last meeting.
    """

    def __init__(self, place: Launch) -> None:
        if not dist.is_available():
            raise WorldError("this torch was built without torch.distributed, so that several processes cannot train "
                             "together; install another build of torch, or start one process without torchrun")
        self.rank, self.size = place.rank, place.size
        self._place = place
        self._control: Control | None = None
        self._failure: Exception | None = None
        self.is_stopping = self.is_paused = False
        if place.size == place.local_size:
            _stay_on_this_machine()
        has_nccl = torch.cuda.is_available() and dist.is_nccl_available()
        with self._reaching_others("the other processes of this training cannot be reached; let every machine reach "
                                   "the others by the names that they have for each other"):
            dist.init_process_group("cpu:gloo,cuda:nccl" if has_nccl else "gloo", store=_meeting_place(place),
                                    rank=self.rank, world_size=self.size)

    @contextmanager
    def _reaching_others(self, otherwise: str = "another process of this training is gone") -> Iterator[None]:
        """A block of collectives; raises LostError where another process does not answer any more."""
        try:
            yield
        except RuntimeError as error:
            cause = in_words(error).partition(". ")[0]  # what it may mean, and jokes, come after it
            self._failure = LostError(f"{otherwise} ({cause})")
            raise self._failure from error

    def barrier(self, error: BaseException | None = None) -> None:
        """See World."""
        if self._failure is not None:  # what ended them all was told already
            raise error if isinstance(error, Exception) and not isinstance(error, PeerError) else self._failure
        asked = self._control
        flags = torch.tensor([error is not None, asked is not None and asked.is_stopping,
                              asked is not None and asked.is_paused], dtype=torch.int32)
        with self._reaching_others():
            dist.all_reduce(flags, dist.ReduceOp.MAX)
        has_failed, self.is_stopping, self.is_paused = map(bool, flags.tolist())
        if has_failed:
            self._fail(error)

    def _fail(self, error: BaseException | None) -> NoReturn:
        """Raise the error of this process or that of another."""
        said: list[tuple[str, str] | None] = [None] * self.size
        own = None if error is None else (socket.gethostname(), in_words(error))
        with self._reaching_others():
            dist.all_gather_object(said, own)
        rank, (host, sentence) = next((rank, one) for rank, one in enumerate(said) if one is not None)
        self._failure = PeerError(f"rank {rank} ({host}): {sentence}")
        raise error or self._failure

    def broadcast(self, value: T | None) -> T:
        """See World."""
        self.barrier()
        said = [value]
        with self._reaching_others():
            dist.broadcast_object_list(said, device=torch.device("cpu"))
        return super().broadcast(said[0])

    def minimum(self, value: int) -> int:
        """See World."""
        self.barrier()
        found = torch.tensor(value)
        with self._reaching_others():
            dist.all_reduce(found, dist.ReduceOp.MIN)
        return int(found)

    def check_alike(self, facts: Mapping[str, Any]) -> None:
        """See World."""
        self.barrier()
        said: list[Any] = [None] * self.size
        with self._reaching_others():
            dist.all_gather_object(said, (socket.gethostname(), dict(facts)))
        (first_host, first), *others = said
        for rank, (host, its) in enumerate(others, 1):
            for name, fact in its.items():
                if not _is_same(fact, first[name]):
                    raise WorldError(f"{name}: rank {rank} ({host}) has {fact!r}, and rank 0 ({first_host}) has "
                                     f"{first[name]!r}; all processes must have the same")

    def combined(self, gradient: MetaGradient, share: Share) -> MetaGradient:
        """See World."""
        aux, counts = gradient.aux, slice(share.count)
        total = {name: value if share.count else torch.zeros_like(value) for name, value in gradient.total.items()}
        buffers = {name: value[counts].sum(0) for name, value in aux.buffers.items()}
        by_task = {"loss": aux.loss, "metric": aux.metric, **aux.extra}
        parts = [*total.values(), *buffers.values(), *(_placed(value, share) for value in by_task.values())]
        whole = iter(self._sum(parts))
        total = {name: next(whole) for name in total}
        buffers = {name: next(whole)[None] / share.total for name in buffers}
        loss, metric, *extra = whole
        return MetaGradient(total, Aux(loss, metric, buffers, dict(zip(aux.extra, extra, strict=True))))

    def gathered(self, values: Tensor, share: Share) -> Tensor:
        """See World."""
        return self._sum([_placed(values, share)])[0]

    def _sum(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Sums over all processes, by one collective for each type of number."""
        kinds = dict.fromkeys(tensor.dtype for tensor in tensors)
        flat = {kind: torch.cat([one.reshape(-1) for one in tensors if one.dtype == kind]) for kind in kinds}
        # Where no collective reaches a device, its numbers go round by way of the CPU.
        sent = {kind: one if one.device.type in ("cpu", "cuda") else one.cpu() for kind, one in flat.items()}
        self.barrier()
        with self._reaching_others():
            for one in sent.values():
                dist.all_reduce(one)
        begins, sums = dict.fromkeys(kinds, 0), []
        for one in tensors:
            part = sent[one.dtype].narrow(0, begins[one.dtype], one.numel())
            sums.append(part.view(one.shape).to(one.device))
            begins[one.dtype] += one.numel()
        return sums

    def control(self, control: Control) -> Control:
        """See World."""
        self._control = control
        return _SharedControl(control, self)

    def device(self, name: str) -> str:
        """See World."""
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        several = self._place.local_size > 1
        if name.startswith("cuda:") and several:
            raise DeviceError(f"device: {self._place.local_size} processes cannot share {name}; leave device at auto, "
                              "so that each takes a GPU of its own")
        if name not in ("auto", "cuda") or not count:
            return name
        if self._place.local_size > count:
            raise DeviceError(f"device: there are {self._place.local_size} processes on this machine and "
                              f"{counted(count, 'GPUs')}; start as many processes as GPUs (--nproc-per-node {count}), "
                              "or name --device cpu")
        torch.cuda.set_device(self._place.local_rank)
        return f"cuda:{self._place.local_rank}"

    def leave(self) -> None:
        """Wait until all are done, so that the launcher ends none while it still writes, and part."""
        if not isinstance(self._failure, LostError):
            flags = torch.zeros(3, dtype=torch.int32)
            with suppress(RuntimeError):  # who has gone already is not waited for
                dist.all_reduce(flags, dist.ReduceOp.MAX)
            # Gloo's threads let go of what was sent a moment later. One that does so while Python ends aborts it, and
            # destroying the group does not always end them (seen in torch 2.13).
            held = weakref.ref(flags)
            del flags
            give_up = time.monotonic() + _PARTING_SECONDS
            while held() is not None and time.monotonic() < give_up:
                time.sleep(_PARTING_SECONDS / 1000)
        dist.destroy_process_group()


@contextmanager
def joined_world() -> Iterator[World]:
    """The world that this process was started in, for as long as the block runs.

    Raises:
        WorldError, LostError: It was started with others and cannot reach them.
    """
    place = launch()
    if place is None or place.size == 1:
        yield ALONE
        return
    group = Group(place)
    try:
        yield group
    except Exception:
        group.leave()
        raise
    # Whoever is told to end at once waits for nobody.
    group.leave()


def _meeting_place(place: Launch) -> Store:
    """A part of the launcher's store that these processes have for themselves.

    The launcher may start processes anew beside a store that still holds the addresses of those before them. So the
    first process makes up a name for this round, and tells it to each of the others that introduces itself by a word
    that nobody used before.
    """
    from torch.distributed.distributed_c10d import PrefixStore  # noqa: PLC0415 - not every torch has them
    from torch.distributed.rendezvous import rendezvous  # noqa: PLC0415

    store, _, _ = next(rendezvous("env://"))
    own = uuid.uuid4().hex
    if place.is_first:
        missing = set(range(1, place.size))
        while missing:
            for rank in sorted(missing):
                if store.check([f"hello/{rank}"]):
                    store.set(f"answer/{store.get(f'hello/{rank}').decode()}", own)
                if store.check([f"{own}/here/{rank}"]):
                    missing.remove(rank)
            time.sleep(_POLL_SECONDS)
        return PrefixStore(own, store)
    store.set(f"hello/{place.rank}", own)
    while not store.check([f"answer/{own}"]):  # a blocking wait would be deaf to the person's Ctrl-C
        time.sleep(_POLL_SECONDS)
    name = store.get(f"answer/{own}").decode()
    store.set(f"{name}/here/{place.rank}", "")
    return PrefixStore(name, store)


def _placed(values: Tensor, share: Share) -> Tensor:
    """Values [tasks of the share, ...] at their place among those of all tasks, which are zero."""
    whole = values.new_zeros(share.total, *values.shape[1:])
    whole[share.first : share.first + share.count] = values[: share.count]
    return whole


def _is_same(fact: Any, other: Any) -> bool:
    """Whether two facts are equal, numbers to rounding."""
    if isinstance(fact, float) and isinstance(other, float):
        return math.isclose(fact, other, rel_tol=1e-6, abs_tol=1e-12)
    return bool(fact == other)


def _stay_on_this_machine() -> None:
    """Let processes of one machine talk over its loopback interface, which needs neither a network nor its names."""
    loopback = next((name for name, addresses in psutil.net_if_addrs().items()
                     if any(one.address == "127.0.0.1" for one in addresses)), "")
    if loopback:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback)
