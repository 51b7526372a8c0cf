"""Graphs that are opened and let go leave the process as it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

OPENED_AND_LET_GO = """
import gc, signal, sys
from pathlib import Path
from homeground.engines.exported.sessions import open_session

came = []
signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
first = open_session("openvino", Path(sys.argv[1]), threads=1)
second = open_session("openvino", Path(sys.argv[1]), threads=1)
del first
gc.collect()
del second
gc.collect()
signal.raise_signal(signal.SIGINT)
print(came)
"""


def test_ctrl_c_still_reaches_its_handler_once_models_were_let_go(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    operators = pytest.importorskip("openvino.opset13")
    given = operators.parameter([-1, 4], np.float32)
    product = operators.matmul(given, operators.constant(np.eye(4, dtype=np.float32)), False, False)
    openvino.save_model(openvino.Model([product], [given]), str(tmp_path / "graph.xml"), compress_to_fp16=False)
    command = [sys.executable, "-c", OPENED_AND_LET_GO, str(tmp_path / "graph.xml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[2]"), done.stderr
