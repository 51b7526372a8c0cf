"""The snippet of docs/scale.md inside a local Spark; only where pyspark and a JVM are installed."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from tests import checkpoints

import homeground

pytest.importorskip("pyspark")
if shutil.which("java") is None:
    pytest.skip("Spark needs a JVM", allow_module_level=True)

pytestmark = pytest.mark.timeout(900)

SCALE = Path(__file__).parent.parent.parent / "docs/scale.md"


def test_the_snippet_of_the_document_predicts_what_one_process_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyspark.sql import SparkSession

    lines = [f"{'good film' if n % 2 else 'bad book'} {n},{'yes' if n % 2 else 'no'}" for n in range(200)]
    (tmp_path / "reviews.csv").write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    checkpoint, run = checkpoints.bert(tmp_path / "tiny", dropout=0.0), tmp_path / "runs/reviews"
    homeground.adapt(
        tmp_path / "reviews.csv", checkpoint=str(checkpoint), epochs=1, cross_fit=0, audit=False, out=str(run)
    )
    texts = [f"good book film {n}" if n % 3 else f"bad news {n}" for n in range(300)]
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )
    try:
        names: dict[str, Any] = {"frame": spark.createDataFrame([(text,) for text in texts], ["text"]).repartition(2)}
        blocks = re.findall(r"^```python\n(.*?)^```", SCALE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        (snippet,) = [block for block in blocks if "import predict_batch_udf" in block]
        exec(snippet.replace('"runs/reviews"', f'"{run}"').replace("batch_size=1024", "batch_size=32"), names)
        rows = names["labelled"].select("text", "label.*").collect()
    finally:
        spark.stop()
    expected = homeground.Predictor(run).columns(texts)
    by_text = dict(zip(texts, zip(expected["predicted_label"], expected["confidence"], strict=True), strict=True))
    assert sorted(row["text"] for row in rows) == sorted(texts)
    for row in rows:
        label, confidence = by_text[row["text"]]
        assert row["predicted_label"] == label
        assert row["confidence"] == pytest.approx(confidence, abs=1e-4)  # other batches round otherwise
