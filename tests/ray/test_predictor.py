"""homeground.Predictor inside a local Ray of two workers: the rows of one process, also where a worker is killed."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests import checkpoints

import homeground

# Read when Ray is imported: without clusters its ports are those of loopback, on Linux too.
os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
import ray

pytestmark = pytest.mark.timeout(900)

ROWS, ROWS_AT_ONCE = 480, 12
SCALE = Path(__file__).parent.parent.parent / "docs/scale.md"


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A Ray of this machine alone, without a dashboard, that ends with the tests."""
    folder = tempfile.mkdtemp(prefix="hg-ray-")  # the paths of its sockets have to be short
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    ray.init(
        num_cpus=3,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=200 << 20,
        _temp_dir=folder,
    )
    try:
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run ``runs/reviews`` and texts in ``reviews/``, as docs/scale.md names them."""
    place = tmp_path_factory.mktemp("ray")
    checkpoint = checkpoints.bert(place / "tiny", dropout=0.0)
    lines = [f"{'good film' if n % 2 else 'bad book'} {n},{'yes' if n % 2 else 'no'}" for n in range(200)]
    (place / "reviews.csv").write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    homeground.adapt(
        place / "reviews.csv",
        checkpoint=str(checkpoint),
        epochs=1,
        cross_fit=0,
        audit=False,
        out=str(place / "runs/reviews"),
    )
    (place / "reviews").mkdir()
    words = np.random.default_rng(0).choice(["good", "bad", "film", "book", "news", "river", "bank"], (ROWS, 5))
    texts = [f"{' '.join(each)} {row}" for row, each in enumerate(words.tolist())]
    for part in range(4):
        some = slice(part * ROWS // 4, (part + 1) * ROWS // 4)
        table = pa.table({"id": list(range(ROWS))[some], "text": texts[some]})
        pq.write_table(table, place / f"reviews/part-{part}.parquet", row_group_size=ROWS_AT_ONCE)
    return place


def in_one_process(folder: Path) -> dict[int, tuple[str, str, float]]:
    """Return what one process predicts: the text, its label and the confidence of every id."""
    table = pq.read_table(folder / "reviews").to_pydict()
    predicted = homeground.Predictor(folder / "runs/reviews")(table)
    columns = (predicted[name] for name in ("id", "text", "predicted_label", "confidence"))
    return {key: (text, label, confidence) for key, text, label, confidence in zip(*columns, strict=True)}


def assert_all_once(rows: list[dict[str, Any]], expected: dict[int, tuple[str, str, float]]) -> None:
    assert sorted(row["id"] for row in rows) == sorted(expected)
    for row in rows:
        text, label, confidence = expected[row["id"]]
        assert (row["text"], row["predicted_label"]) == (text, label)
        assert row["confidence"] == pytest.approx(confidence, abs=1e-4)  # other batches round otherwise


def test_the_snippet_of_the_document_predicts_what_one_process_does(
    cluster: None, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", SCALE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (snippet,) = [block for block in blocks if "import ray" in block]
    monkeypatch.chdir(folder)
    shutil.rmtree("labelled", ignore_errors=True)
    for name in ("reviews/", "labelled/", "runs/reviews"):
        snippet = snippet.replace(f'"{name}"', f'"{folder / name}"')
    exec(snippet.replace("ActorPoolStrategy(size=4)", "ActorPoolStrategy(size=2)"), {})
    assert_all_once(pq.read_table(folder / "labelled").to_pylist(), in_one_process(folder))


def test_a_worker_that_is_killed_costs_no_row_and_gives_none_twice(cluster: None, folder: Path, tmp_path: Path) -> None:
    class Watched(homeground.Predictor):
        """A predictor that is slow enough to be killed at work, and notes in which process it was."""

        def __call__(self, batch: Any) -> Any:
            (tmp_path / str(os.getpid())).touch()
            time.sleep(0.05)
            return super().__call__(batch)

    data = ray.data.read_parquet(str(folder / "reviews")).repartition(ROWS // ROWS_AT_ONCE)
    predicted = data.map_batches(
        Watched,
        fn_constructor_args=[str(folder / "runs/reviews")],
        batch_size=ROWS_AT_ONCE,
        compute=ray.data.ActorPoolStrategy(size=2),
    )
    rows: list[dict[str, Any]] = []
    killed = None
    for batch in predicted.iter_batches(batch_size=None, prefetch_batches=0):
        columns = {name: values.tolist() for name, values in batch.items()}
        rows += [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        if killed is None and len(workers := {int(path.name) for path in tmp_path.iterdir()}) == 2:
            assert len(rows) < ROWS
            killed = min(workers)
            assert killed != os.getpid()
            os.kill(killed, signal.SIGKILL)
    assert killed is not None
    assert len(list(tmp_path.iterdir())) > 2, "no other process took the place of the one that was killed"
    assert_all_once(rows, in_one_process(folder))
