"""metrics.jsonl and TensorBoard say the same, are cut back together, and need no framework."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from homeground.errors import DamageWarning
from homeground.training.events import Evaluated, Saved, Started, Step, TrainingEvent
from homeground.training.loggers import MetricsLog

Points = dict[str, list[tuple[int, float, float]]]


def steps(first: int, last: int) -> list[TrainingEvent]:
    return [Step(n, 9, n / 4, 1.0 / n, 1e-5 * n, 0.5 + n) for n in range(first, last + 1)]


def log(home: Path, events: list[TrainingEvent]) -> None:
    metrics = MetricsLog(home)
    for event in events:
        metrics(event)
    metrics.close()


def read_lines(home: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (home / "metrics.jsonl").read_text().splitlines()]


def from_lines(home: Path) -> Points:
    points: Points = {}
    for line in read_lines(home):
        for name, value in line.items():
            if "/" in name:
                points.setdefault(name, []).append((int(line["step"]), line["wall_time"], value))
    return points


def from_tensorboard(home: Path) -> Points:
    files = list((home / "tensorboard").iterdir())
    assert len(files) == 1
    board = EventAccumulator(str(home / "tensorboard"), size_guidance={"scalars": 0})
    board.Reload()
    return {tag: [(e.step, e.wall_time, e.value) for e in board.Scalars(tag)] for tag in board.Tags()["scalars"]}


def assert_same(left: Points, right: Points) -> None:
    assert left.keys() == right.keys()
    for name in left:
        # TensorBoard keeps values in float32.
        assert [point[:2] for point in left[name]] == [point[:2] for point in right[name]]
        assert [point[2] for point in left[name]] == pytest.approx([point[2] for point in right[name]], rel=1e-6)


def test_a_damaged_line_is_left_out_and_said_and_a_torn_one_is_left_out(tmp_path):
    log(tmp_path, [Started(0, 9, (), None), *steps(1, 4)])
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text().replace('"train/loss": 0.5,', '"train/loss": 0.7,') + '{"step": 5, "ep')
    with pytest.warns(DamageWarning, match="damaged lines, which the curves of the report lack: 1"):
        log(tmp_path, [Started(4, 9, (), None), *steps(5, 6)])
    assert [line["step"] for line in read_lines(tmp_path)] == [1, 3, 4, 5, 6]


def test_what_is_not_finite_is_null_and_a_training_goes_on_from_it(tmp_path):
    undefined = Evaluated(4, 1.0, {"train/epoch_loss": 0.25, "validation/pearson": float("nan")}, best=False)
    log(tmp_path, [Started(0, 9, (), None), *steps(1, 4), undefined])
    assert read_lines(tmp_path)[-1]["validation/pearson"] is None
    # As an earlier version wrote it.
    path = tmp_path / "metrics.jsonl"
    unsealed = [{name: value for name, value in line.items() if name != "sha256"} for line in read_lines(tmp_path)]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in unsealed).replace("null", "NaN"))
    log(tmp_path, [Started(4, 9, (), None), *steps(5, 6)])
    assert [line["step"] for line in read_lines(tmp_path)] == [1, 2, 3, 4, 4, 5, 6]


EVALUATED = Evaluated(4, 1.0, {"train/epoch_loss": 0.25, "validation/pearson": 0.75}, best=True)


def test_every_step_and_evaluation_is_a_line_and_a_point_on_the_board(tmp_path: Path) -> None:
    home = tmp_path / "run"
    log(home, [Started(0, 9), *steps(1, 4), EVALUATED, Saved(4, tmp_path), *steps(5, 6)])
    lines = read_lines(home)
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 4, 5, 6]
    for line in lines:
        assert len(str(line.pop("sha256"))) == 64
    del lines[1]["wall_time"], lines[4]["wall_time"]
    assert lines[1] == {
        "step": 2, "epoch": 0.5, "train/loss": 0.5, "train/learning_rate": 2e-5, "train/gradient_norm": 2.5
    }  # fmt: skip
    assert lines[4] == {"step": 4, "epoch": 1.0, "train/epoch_loss": 0.25, "validation/pearson": 0.75}
    assert_same(from_lines(home), from_tensorboard(home))


def test_going_on_from_a_step_cuts_both_back_to_it_with_their_times(tmp_path: Path) -> None:
    log(tmp_path, [Started(0, 9), *steps(1, 4), EVALUATED, *steps(5, 7)])
    before = read_lines(tmp_path)
    log(tmp_path, [Started(4, 9), *steps(5, 5)])
    after = read_lines(tmp_path)
    assert after[:5] == before[:5]
    assert [line["step"] for line in after] == [1, 2, 3, 4, 4, 5]
    assert_same(from_lines(tmp_path), from_tensorboard(tmp_path))


def test_a_line_torn_by_a_crash_is_left_out(tmp_path: Path) -> None:
    log(tmp_path, [Started(0, 9), *steps(1, 3)])
    path = tmp_path / "metrics.jsonl"
    path.write_text(path.read_text()[:-20])
    log(tmp_path, [Started(2, 9), *steps(3, 3)])
    assert [line["step"] for line in read_lines(tmp_path)] == [1, 2, 3]


def test_everything_is_on_disk_before_the_next_event(tmp_path: Path) -> None:
    metrics = MetricsLog(tmp_path)
    metrics(Started(0, 9))
    for step in steps(1, 3):
        metrics(step)
        assert len(read_lines(tmp_path)) == step.step
        assert len(from_tensorboard(tmp_path)["train/loss"]) == step.step
    metrics.close()


def test_writing_the_board_imports_neither_torch_nor_tensorflow(tmp_path: Path) -> None:
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('tensorflow was imported')")
    code = (
        "import sys; from homeground.training.loggers import MetricsLog; from homeground.training.train import Started;"
        f"from pathlib import Path; log = MetricsLog(Path({str(tmp_path / 'run')!r})); log(Started(0, 1)); log.close();"
        "print({'torch', 'tensorflow', 'keras', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "set()"
