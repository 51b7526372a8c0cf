from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests import checkpoints
from tests.inference.test_loading import classifier
from transformers import AutoModelForSequenceClassification

import homeground
from homeground.cli import run
from homeground.errors import CheckpointError, DataError, UsageError
from homeground.inference.files import RowCounts, predict_file
from homeground.results.run import Run


def test_a_text_is_encoded_the_same_whatever_it_is_encoded_with(encoder: Path) -> None:
    model = homeground.load(encoder)
    texts = ["bank", "the judge of the court and the police of the city", "bank loan", "bank"]
    together = model.encode(texts)
    assert together.shape == (4, 32)
    assert together.dtype == np.float32
    assert np.abs(together - np.vstack([model.encode([text]) for text in texts])).max() < 1e-6
    assert np.array_equal(together[0], together[3])


def test_similarity_is_angular_and_symmetric(encoder: Path) -> None:
    model = homeground.load(encoder)
    first, second = model.encode(["bank", "court"])
    cosine = float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))
    assert model.similarity(["bank"], ["court"])[0] == pytest.approx(1 - np.arccos(cosine) / np.pi, abs=1e-5)
    assert model.similarity(["bank"], ["court"]) == model.similarity(["court"], ["bank"])
    assert model.similarities(["bank", "court"])[0, 1] == model.similarity(["bank"], ["court"])[0]


def test_misuse_is_told(encoder: Path) -> None:
    model = homeground.load(encoder)
    with pytest.raises(UsageError, match="encode takes a text or a list of texts; got the number 5"):
        model.encode(5)
    with pytest.raises(UsageError, match="got 1 first and 2 second texts"):
        model.similarity(["bank"], ["court", "law"])
    with pytest.raises(CheckpointError):
        homeground.load(encoder / "nothing")


def test_no_texts_give_no_embeddings(encoder: Path) -> None:
    assert len(homeground.load(encoder).encode([])) == 0


def test_long_texts_are_cut_and_counted(encoder: Path) -> None:
    model = homeground.load(encoder)
    model.encode(["law " * 100, "law"])
    assert model.truncated == 1


def test_a_run_its_model_folder_and_its_name_are_one_model(finished: Run) -> None:
    expected = homeground.load(finished).encode(["bank"])
    for source in (finished.folder, finished.model_folder, str(finished.folder)):
        assert np.array_equal(homeground.load(source).encode(["bank"]), expected)


def test_pairs_file_to_file(finished: Run, write_csv: Callable[..., Path], tmp_path: Path) -> None:
    rows = [("bank", "loan", "=cmd()"), ("court", "city", "-0.5"), ("NA", "null", "x,y")]
    source = write_csv("pairs.csv", ["text_1", "text_2", "=note()"], rows)
    model = homeground.load(finished)
    assert predict_file(model, source, tmp_path / "out.csv").rows == 3
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert [float(row["similarity"]) for row in read] == pytest.approx(
        model.similarity(["bank", "court", "NA"], ["loan", "city", "null"]).tolist(), abs=1e-6
    )
    # A spreadsheet would run the first note, and its column's name; a number stays a number.
    assert [row["'=note()"] for row in read] == ["'=cmd()", "-0.5", "x,y"]


def test_texts_file_to_file(finished: Run, write_csv: Callable[..., Path], tmp_path: Path) -> None:
    texts = [f"bank {word}" for word in ("loan", "card", "数据")]
    source = write_csv("texts.csv", ["text"], [[text] for text in texts])
    model = homeground.load(finished)
    expected = model.encode(texts)
    predict_file(model, source, tmp_path / "out.npy")
    assert np.array_equal(np.load(tmp_path / "out.npy"), expected)
    predict_file(model, source, tmp_path / "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["text"] for line in lines] == texts
    assert np.abs(np.array([line["embedding"] for line in lines]) - expected).max() < 1e-6


def test_a_file_is_read_by_the_columns_the_model_learned_from(
    encoder: Path, write_csv: Callable[..., Path], tmp_path: Path
) -> None:
    learned = shutil.copytree(encoder, tmp_path / "learned")
    columns = {"text": "title,body", "label": "kind"}
    (learned / "homeground.json").write_text(json.dumps({"version": 1, "columns": columns}))
    model = homeground.load(learned)

    def vectors(header: list[str], rows: list[tuple[str, ...]], **settings: str) -> list[list[float]]:
        path, target = write_csv("in.csv", header, rows), tmp_path / "out.npy"
        predict_file(model, path, target, **settings)
        return np.load(target).round(5).tolist()

    rows = [("bank", "law", "court"), ("judge", "", "police")]
    whole = vectors(["text"], [("bank court",), ("judge police",)])
    assert vectors(["title", "text", "body"], rows) == whole
    assert vectors(["title", "text", "body"], rows, text="title") == vectors(["text"], [("bank",), ("judge",)])
    # A file without one of them is read by the usual names.
    assert vectors(["headline", "text", "body"], [("a", "bank court", "b"), ("a", "judge police", "b")]) == whole


@pytest.mark.parametrize(
    ("classes", "written"),
    [
        (["a", "b,c"], "a;b,c"),
        (["a", "b;c"], "a|b;c"),
        (["a|b", "c;d"], "a|b,c;d"),
        (["a|b", "c;d,e"], ["a|b", "c;d,e"]),
    ],
)
def test_several_labels_are_joined_by_what_none_of_them_holds(
    tmp_path: Path, write_csv: Callable[..., Path], classes: list[str], written: str | list[str]
) -> None:
    folder = checkpoints.bert(tmp_path / "tagger")
    names = {"id2label": dict(enumerate(classes)), "label2id": {name: place for place, name in enumerate(classes)}}
    body = AutoModelForSequenceClassification.from_pretrained(
        folder, problem_type="multi_label_classification", **names
    )
    body.classifier.bias.data[:] = 9  # Every text gets every label.
    body.save_pretrained(folder)
    model, source = homeground.load(folder), write_csv("texts.csv", ["text"], [["bank"]])
    predict_file(model, source, tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text())["predicted_label"] == written
    predict_file(model, source, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["predicted_label"] == (written if isinstance(written, str) else json.dumps(written))


def test_a_target_that_cannot_be_written_is_told_and_nothing_is_left(
    finished: Run, write_csv: Callable[..., Path], tmp_path: Path
) -> None:
    source = write_csv("texts.csv", ["text"], [["bank"]])
    model = homeground.load(finished)
    with pytest.raises(UsageError, match=r"ending in \.csv, \.jsonl, \.npy"):
        predict_file(model, source, tmp_path / "out.xlsx")
    with pytest.raises(DataError, match="no column for the text was found"):
        predict_file(model, write_csv("odd.csv", ["a", "b"], [["x", "y"]]), tmp_path / "out.csv")
    pairs = write_csv("pairs.csv", ["text_1", "text_2"], [["x", "y"]])
    with pytest.raises(UsageError, match="one text column"):
        predict_file(model, pairs, tmp_path / "out.npy")
    assert {path.suffix for path in tmp_path.iterdir()} == {".csv"}
    assert not (tmp_path / "out.csv").exists()


def columns_of(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))


def test_no_column_of_the_file_is_overwritten(encoder: Path, write_csv: Callable[..., Path], tmp_path: Path) -> None:
    model = homeground.load(encoder)
    out = tmp_path / "out.csv"
    header = ["text_1", "text_2", "similarity", "predicted_similarity"]
    predict_file(model, write_csv("pairs.csv", header, [["bank", "loan", "mine", "too"]]), out)
    assert columns_of(out) == [*header, "predicted_similarity_2"]
    assert out.read_text().splitlines()[1].startswith("bank,loan,mine,too,0.")
    # One of many columns of an embedding is enough for all of them to go elsewhere.
    source = write_csv("texts.csv", ["text", "embedding", "embedding_7"], [["bank", "mine", "too"]])
    predict_file(model, source, out)
    assert columns_of(out)[3:5] == ["predicted_embedding_0", "predicted_embedding_1"]
    assert out.read_text().splitlines()[1].startswith("bank,mine,too,")
    predict_file(model, source, tmp_path / "out.jsonl")
    line = json.loads((tmp_path / "out.jsonl").read_text())
    assert (line["embedding"], len(line["predicted_embedding"])) == ("mine", 32)


@pytest.mark.parametrize("chunk", [2, 4096])
def test_a_row_with_an_empty_text_stays_in_its_place_without_a_prediction(
    encoder: Path, write_csv: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr("homeground.inference.predicted_columns.ROWS_PER_CHUNK", chunk)
    model = homeground.load(encoder)
    source = write_csv("texts.csv", ["text", "id"], [["", "1"], ["  ", "2"], ["bank", "3"], ["\t", "4"]])
    bank = model.encode(["bank"])[0]
    assert predict_file(model, source, tmp_path / "out.npy") == RowCounts(rows=4, empty=3)
    vectors = np.load(tmp_path / "out.npy")
    assert np.isnan(vectors[[0, 1, 3]]).all()
    assert np.array_equal(vectors[2], bank)
    predict_file(model, source, tmp_path / "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(line["id"], line["embedding"] is None) for line in lines] == [
        ("1", True), ("2", True), ("3", False), ("4", True)
    ]  # fmt: skip
    predict_file(model, source, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines()[1] == ",1" + "," * 32
    pairs = write_csv("pairs.csv", ["text_1", "text_2"], [["bank", ""], ["bank", "loan"]])
    assert predict_file(model, pairs, tmp_path / "out.csv").empty == 1
    assert (tmp_path / "out.csv").read_text().splitlines()[1] == "bank,,"


def test_the_file_is_read_as_told(encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "texts.txt.gz", tmp_path / "out.jsonl"
    source.write_bytes(gzip.compress('café;"1\n银行;2\n'.encode("gb18030")))
    reading = ["--format", "csv", "--delimiter", ";", "--encoding", "gb18030", "--quoting", "none"]
    names = ["--no-header", "--columns", "body,_", "--text", "body"]
    command = ["predict", str(encoder), "--input", str(source), "--output", str(out)]
    assert run([*command, *reading, *names]) == 0
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [line["body"] for line in lines] == ["café", "银行"]
    assert "2 of 2 rows (100%)" in capsys.readouterr().err
    assert run([*command, *reading, *names, "--text-1", "body"]) == 2
    assert run(["predict", str(encoder), "bank", "loan", "--delimiter", ";"]) == 2
    assert "--delimiter: only for the FILE of --input" in capsys.readouterr().err


def test_a_bad_row_far_into_the_file_is_told_before_anything_is_predicted(encoder: Path, tmp_path: Path) -> None:
    source = tmp_path / "texts.jsonl"
    source.write_text('{"text": "bank"}\n' * 9 + '{"text": 5}\n')
    told: list[int] = []
    with pytest.raises(DataError, match='row 10: column "text" holds 5; expected text'):
        predict_file(
            homeground.load(encoder), source, tmp_path / "out.csv", on_progress=lambda done, _: told.append(done)
        )
    assert not told
    assert [path.name for path in tmp_path.iterdir()] == ["texts.jsonl"]


def test_a_number_too_large_is_told_and_never_written_as_infinity(encoder: Path, tmp_path: Path) -> None:
    source = tmp_path / "texts.jsonl"
    source.write_text('{"text": "bank", "score": 1e300}\n{"text": "loan", "score": 1e400}\n')
    with pytest.raises(DataError, match="row 2: the object that begins on line 2 holds the number 1e400"):
        predict_file(homeground.load(encoder), source, tmp_path / "out.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["texts.jsonl"]


@pytest.mark.parametrize(("start", "end"), [("csv", "csv"), ("jsonl", "jsonl"), ("csv", "npy")])
def test_memory_does_not_grow_with_the_rows(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str, end: str
) -> None:
    monkeypatch.setattr("homeground.inference.predicted_columns.ROWS_PER_CHUNK", 50)
    monkeypatch.setattr("homeground.data.opening.BYTES_AT_ONCE", 1 << 12)
    model = homeground.load(encoder)
    # Stands for the model, which is not what is measured and would take a minute.
    monkeypatch.setattr(model, "encode", lambda texts: np.ones((len(texts), 8), np.float32))
    peaks: list[int] = []
    for rows in (500, 5_000):
        source, target = tmp_path / f"{rows}.{start}", tmp_path / f"out.{end}"
        lines = (f"bank {row}" if start == "csv" else json.dumps({"text": f"bank {row}"}) for row in range(rows))
        source.write_text("\n".join(["text", *lines] if start == "csv" else lines))
        tracemalloc.start()
        predict_file(model, source, target)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0] + 100_000, peaks


def test_a_text_given_as_the_model_is_a_checkpoint_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a great film " * 500, f"{'a' * 3000}/{'b' * 3000}", "x" * 5000):
        assert run(["predict", name, "bank", "loan"]) == 2
        error = capsys.readouterr().err
        assert error.startswith("homeground: ") and "there is no folder" in error
        assert len(error) < 400


def test_bytes_that_are_no_text_are_refused(encoder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", str(encoder), "\udcff", "bank"]) == 2
    assert "holds bytes that are not UTF-8" in capsys.readouterr().err
    with pytest.raises(UsageError, match="not UTF-8"):
        homeground.load(encoder).encode(["bank \ud83d"])


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classifier(tmp_path_factory.mktemp("labels") / "classifier")


def piped(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_csv_file_keeps_its_byte_order_mark_and_delimiter(
    encoder: Path, tmp_path: Path, mark: bytes, packed: bool
) -> None:
    content = mark + "text;id\ncafé;1\n".encode()
    source = tmp_path / ("texts.csv.gz" if packed else "texts.csv")
    source.write_bytes(gzip.compress(content) if packed else content)
    predict_file(homeground.load(encoder), source, tmp_path / "out.csv", delimiter=";")
    written = (tmp_path / "out.csv").read_bytes()
    assert written.startswith(mark + b"text;id;embedding_0;")
    predict_file(homeground.load(encoder), tmp_path / source, tmp_path / "out.jsonl", delimiter=";")
    assert (tmp_path / "out.jsonl").read_bytes().startswith(b'{"text"')


def test_top_writes_the_likeliest_labels_instead_of_all(labels: Path, tmp_path: Path) -> None:
    model = homeground.load(labels)
    source = tmp_path / "texts.jsonl"
    source.write_text('{"text": "the bank", "confidence": "mine"}\n{"text": null, "confidence": ""}\n')
    predict_file(model, source, tmp_path / "out.jsonl", top=1)
    first, second = (json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines())
    assert list(first) == [
        "text", "confidence", "predicted_label", "predicted_confidence", "top_1_label", "top_1_probability"
    ]  # fmt: skip
    ((label, probability),) = model.predict("the bank", top=1)
    assert first["predicted_label"] == first["top_1_label"] == label
    assert first["predicted_confidence"] == first["top_1_probability"] == pytest.approx(probability, abs=1e-6)
    assert [second[name] for name in list(second)[2:]] == [None] * 4
    predict_file(model, source, tmp_path / "out.csv", top=5)
    assert columns_of(tmp_path / "out.csv")[-2:] == ["top_2_label", "top_2_probability"]
    masked = checkpoints.bert(tmp_path / "bert")
    source.write_text('{"text": "the [MASK] or [MASK]"}\n{"text": "the [MASK]"}\n')
    predict_file(homeground.load(masked), source, tmp_path / "out.jsonl", top=2)
    first, second = (json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines())
    assert first["predicted_token"] == first["top_1_token"] and len(first["top_2_token"]) == 2
    tokens = [candidate.token for candidate in homeground.load(masked).fill_mask("the [MASK]", 2)]
    assert [second["top_1_token"], second["top_2_token"]] == tokens
    with pytest.raises(UsageError, match="--top is for labels of texts and for masked words"):
        predict_file(homeground.load(masked), source, tmp_path / "out.npy", top=2)


def test_predictions_are_printed_where_no_output_is_named(
    labels: Path,
    write_csv: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = write_csv("texts.csv", ["id", "text"], [["1", "the bank"], ["2", ""], ["3", "a judge \x1b[31m" * 30]])
    command = ["predict", str(labels), "--input", str(source)]
    assert run(command) == 0
    printed = capsys.readouterr()
    predict_file(homeground.load(labels), source, tmp_path / "out.csv")
    assert printed.out == (tmp_path / "out.csv").read_text()
    assert "1 row has an empty text and so no prediction" in printed.err
    assert run([*command, "--json", "--top", "1"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["id"] for line in lines] == ["1", "2", "3"]
    assert list(lines[0])[2:] == ["predicted_label", "confidence", "top_1_label", "top_1_probability"]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    assert run(command) == 0
    table = capsys.readouterr().out
    assert all(len(line) <= 80 for line in table.splitlines())
    assert "predicted_label  confidence" in table.splitlines()[0]
    assert "\x1b" not in table
    assert len(table.splitlines()) == 5


def test_standard_input_is_read(
    labels: Path, encoder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    piped(monkeypatch, "the bank\n\ncafé judge\n".encode())
    assert run(["predict", str(labels), "-", "--json"]) == 0
    printed = capsys.readouterr()
    assert [json.loads(line)["text"] for line in printed.out.splitlines()] == ["the bank", "café judge"]
    assert "1 empty line skipped" in printed.err
    piped(monkeypatch, b"text_1,text_2\nbank,loan\n")
    assert run(["predict", str(encoder), "--input", "-", "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("text_1,text_2,similarity\nbank,loan,0.")
    for content, arguments, message in (
        (b"\n \n", ["-"], "standard input holds no text"),
        (b"x", ["--input", "-"], "add --format (csv"),
        (b"x", ["-", "bank"], "goes with no other texts"),
    ):
        piped(monkeypatch, content)
        assert run(["predict", str(labels), *arguments]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tickets.csv"], '"tickets.csv" is the name of a file; did you mean --input tickets.csv?'),
        (["bank", "here.txt.gz"], "did you mean --input here.txt.gz?"),
        ([""], "text 1 is empty"),
        (["bank", " \n"], "text 2 is empty"),
        ([], "expected either texts or --input FILE"),
        (["bank", "--output", "out.csv"], "--output out.csv: only for the FILE of --input"),
        (["bank", "--embeddings"], "--embeddings needs an encoder"),
    ],
)
def test_what_is_no_text_is_asked_about(
    labels: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["predict", str(labels), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_an_option_that_changes_nothing_is_refused(
    encoder: Path, write_csv: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = write_csv("pairs.csv", ["text_1", "text_2"], [["bank", "loan"]])
    for arguments, message in (
        (["bank", "loan", "--top", "3"], "--top is for labels of texts and for masked words"),
        (["--input", str(pairs), "--top", "3"], "--top is for labels of texts and for masked words"),
        (["--input", str(pairs), "--embeddings"], "are of one text column"),
    ):
        assert run(["predict", str(encoder), *arguments]) == 2
        assert message in capsys.readouterr().err
