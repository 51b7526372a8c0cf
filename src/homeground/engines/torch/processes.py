"""The processes that learn together: who starts them, how they find each other, and what the others do.

The processes talk over torch.distributed. Either the leader starts the others on its machine (``lead``), or a launcher
such as torchrun has started all of them and has set RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Generator
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage] - documented all the same

from homeground.engines.torch.model import TorchModel
from homeground.engines.torch.parallel import Group, OutOfMemoryError, working_with
from homeground.errors import ProcessLost, UsageError
from homeground.processes.children import start_child, usable_cores
from homeground.wording import count

CONNECT_SECONDS = 120
"""Until a process that does not connect counts as lost."""

WAIT_DAYS = 365
"""Time that the others wait for the leader, which may measure for hours; one that has ended is noticed at once."""

LOOPBACK = {"GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo"}
"""Lets the processes of one machine exchange gradients over its loopback only."""

END_SECONDS = 5
"""Time that processes have to end once they are told."""


@contextlib.contextmanager
def lead(processes: int, *, slices: int, threads: int | None, fingerprint: str) -> Generator[None]:
    """Work with others: with those that a launcher has started, else with ``processes - 1`` started here.

    A process that a launcher has started and that does not lead serves the leader, and then ends by SystemExit.
    ``threads`` are those of each process, by default an equal share of the cores for every slice, so that they do not
    depend on the number of processes. ``fingerprint`` must be equal in all.

    Raises:
        UsageError: the processes have other settings.
        ProcessLost: a process could not connect.
    """
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    size = launched if launched > 1 else processes
    with _threads(threads or (max(usable_cores() // slices, 1) if slices > 1 else None)):
        if size == 1:
            yield
            return
        children: list[subprocess.Popen[bytes]] = []
        if launched > 1:
            rank = int(os.environ["RANK"])
            _connect(rank, size, store=None)
        else:
            if torch.cuda.is_available() and size > torch.cuda.device_count():
                raise UsageError(
                    f"--processes {size}: this machine has {count(torch.cuda.device_count(), 'GPU')}, and each process "
                    "needs one of its own; expected at most as many processes"
                )
            rank, store = 0, TCPStore("127.0.0.1", 0, size, is_master=True, wait_for_workers=False)
            added = {name: value for name, value in LOOPBACK.items() if name not in os.environ}
            os.environ |= added
            try:
                children += (_start(each, size, store.port) for each in range(1, size))
                _connect_watching(children, size, store)
            except BaseException:  # a signal, too
                _end(children)
                raise
            finally:
                for name in added:
                    del os.environ[name]
        with _joined(rank, size, children) as group:
            _compare(group, fingerprint if launched > 1 else "")
            if group.leads:
                yield
            else:
                serve(group)
                raise SystemExit(0)


@contextlib.contextmanager
def _joined(rank: int, size: int, children: list[subprocess.Popen[bytes]]) -> Generator[Group]:
    seconds = 0  # the others have nothing to save
    try:
        with working_with(Group(rank, size)) as group:
            yield group
            if group.leads:
                with contextlib.suppress(ProcessLost):  # all is done, so that nobody misses one that has ended
                    group.announce(("end",))
                seconds = END_SECONDS
    finally:
        with contextlib.suppress(Exception):
            dist.destroy_process_group()
        _end(children, seconds)


def serve(group: Group) -> None:
    """Do what the leader announces, until it says that it is over, or is gone."""
    model: TorchModel | None = None
    with contextlib.suppress(ProcessLost):  # the leader says what went wrong
        while True:
            what, *values = group.hear()
            if what == "end":
                return
            if what == "model":
                model = TorchModel.from_bytes(*values)
                continue
            assert model is not None
            if what == "step":
                with contextlib.suppress(OutOfMemoryError):  # the leader takes the step again in smaller slices
                    model.take_step(*values)
            elif what == "compare":
                model.compare_weights()


def _connect(rank: int, size: int, *, store: TCPStore | None) -> None:
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    where = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
    try:
        if store is None:
            host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
            is_master = rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
            wait = timedelta(seconds=CONNECT_SECONDS)
            store = TCPStore(host, port, size, is_master=is_master, wait_for_workers=False, timeout=wait)
            # torchrun's store outlives its restarts.
            attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
            store.set(f"homeground {attempt} {rank}", "")
            store.wait([f"homeground {attempt} {each}" for each in range(size)], wait)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timedelta(days=WAIT_DAYS))
    except (RuntimeError, ValueError, KeyError) as error:
        raise ProcessLost(f"process {rank} of {size} cannot connect to {where}: {str(error).splitlines()[0]}") from None


def _connect_watching(children: list[subprocess.Popen[bytes]], size: int, store: TCPStore) -> None:
    """Wait until all children are there, before the leader waits for them where nothing ends the waiting.

    Raises:
        ProcessLost: one of them ended, or did not come in time.
    """
    began = time.monotonic()
    while store.add("here", 0) < len(children):
        ended = [number for number, child in enumerate(children, start=1) if child.poll() is not None]
        if ended or time.monotonic() - began > CONNECT_SECONDS:
            what = "ended before it connected" if ended else f"did not connect within {CONNECT_SECONDS} s"
            raise ProcessLost(f"process {ended[0] if ended else 'of this run'} {what}; is there memory for {size}?")
        time.sleep(0.02)
    _connect(0, size, store=store)


def _start(rank: int, size: int, port: int) -> subprocess.Popen[bytes]:
    """Start a process that serves; Ctrl-C in the terminal is the leader's."""
    environment = {"RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank)}
    environment |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
    }
    return start_child("homeground.engines.torch.processes", "follow", environment)


def _end(children: list[subprocess.Popen[bytes]], seconds: float = 0) -> None:
    """Wait for the children to end, and end those that have not after so many seconds."""
    deadline = time.monotonic() + seconds
    for child in children:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(max(deadline - time.monotonic(), 0))
        if child.poll() is None:
            child.kill()
            child.wait()


def _compare(group: Group, fingerprint: str) -> None:
    """Compare what all processes were started with.

    Raises:
        UsageError: one has other settings than the leader.
    """
    every = group.share(fingerprint)
    other = [rank for rank, each in enumerate(every) if each != every[0]]
    if other:
        raise UsageError(
            f"process {other[0]} of {group.size} was started with other settings, or another version, than the first; "
            "give all of them the same command"
        )


@contextlib.contextmanager
def _threads(count: int | None) -> Generator[None]:
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def follow() -> None:
    """Serve a leader on this machine, which has started this process."""
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    host, port, wait = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), timedelta(seconds=CONNECT_SECONDS)
    try:
        store = TCPStore(host, port, size, is_master=False, timeout=wait)
        store.add("here", 1)
        _connect(rank, size, store=store)
    except (RuntimeError, ProcessLost):  # the leader is gone, or says so itself
        sys.exit(ProcessLost.exit_code)
    with _joined(rank, size, []) as group:
        _compare(group, "")
        serve(group)
