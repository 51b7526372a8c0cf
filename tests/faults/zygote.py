"""A process that has everything imported, and makes a copy of itself for every command: a run in half a second.

    python -m tests.faults.zygote

It reads one JSON object a line: ``argv`` of the command, ``cwd``, and what is to go wrong at which of the calls that
change files: ``kill_at``, ``kill_before`` (a part of a path), ``signal_at`` with ``signal``, or ``fail_at`` with
``error``, the number of an OSError. It answers with one line each: the exit ``status`` (negative for a signal), the
number of file ``calls``, and the output.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

SECONDS = 120
"""Until a command counts as hanging."""

WRITING = os.O_WRONLY | os.O_RDWR


class FileCalls:
    """Counts the calls that change files below a folder, and does something before one of them."""

    def __init__(self, home: str, report: int) -> None:
        self.count, self.home, self.report = 0, home, report
        self.at: dict[int, int] = {}
        self.fail_at, self.error, self.kill_before = 0, 0, ""
        self._sync = os.fsync

    def install(self) -> None:
        """Begin to count, for good."""
        sys.addaudithook(self._audited)

        def fsync(descriptor: int) -> None:
            self._called()
            self._sync(descriptor)

        os.fsync = fsync

    def _audited(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, str | bytes) and isinstance(flags, int) and flags & WRITING:
                self._touches(os.fsdecode(path))
        elif event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir"):
            self._touches(os.fspath(arguments[0]))

    def _touches(self, path: str | bytes) -> None:
        absolute = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - Path would call the hook again
        if absolute.startswith(self.home):
            if self.kill_before and self.kill_before in absolute:
                os.kill(os.getpid(), signal.SIGKILL)
            self._called()

    def _called(self) -> None:
        self.count += 1
        os.pwrite(self.report, self.count.to_bytes(8, "little"), 0)
        if (number := self.at.get(self.count)) is not None:
            os.kill(os.getpid(), number)
        if self.count == self.fail_at:
            raise OSError(self.error, os.strerror(self.error))


def child(command: dict[str, Any], output: Path, report: int) -> int:
    """Carry out one command, and return its exit code."""
    from homeground.cli import end_on_signals, run

    end_on_signals()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(command["cwd"])
    calls = FileCalls(command["cwd"], report)
    if "kill_at" in command:
        calls.at[command["kill_at"]] = signal.SIGKILL
    calls.kill_before = command.get("kill_before", "")
    if "fail_at" in command:
        calls.fail_at, calls.error = command["fail_at"], command["error"]
    if "signal_at" in command:
        calls.at[command["signal_at"]] = command["signal"]
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    file = output.open("w", encoding="utf-8", buffering=1)
    os.dup2(file.fileno(), 1)
    os.dup2(file.fileno(), 2)
    sys.stdout = sys.stderr = file
    calls.install()
    return run(command["argv"])


def answer(command: dict[str, Any]) -> dict[str, Any]:
    """Carry out one command in a copy of this process."""
    with tempfile.TemporaryDirectory() as folder:
        output, counted = Path(folder) / "output", Path(folder) / "calls"
        report = os.open(counted, os.O_RDWR | os.O_CREAT)
        process = os.fork()
        if process == 0:
            code = 70
            with contextlib.suppress(BaseException):
                signal.alarm(SECONDS)
                code = child(command, output, report)
                sys.stdout.flush()
            os._exit(code)
        _, status = os.waitpid(process, 0)
        calls = int.from_bytes(counted.read_bytes() or b"\0", "little")
        os.close(report)
        text = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
    return {"status": os.waitstatus_to_exitcode(status), "calls": calls, "output": text}


def main() -> None:
    """Answer commands until there are no more."""
    import torch

    torch.set_num_threads(1)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        command = json.loads(line)
        if command.get("warm"):
            from homeground.cli import run

            os.chdir(command["cwd"])
            result: dict[str, Any] = {"status": run(command["argv"])}
        else:
            result = answer(command)
        answers.write(json.dumps(result) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
