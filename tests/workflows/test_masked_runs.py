"""Whole runs on plain texts: what is proved, resumed, kept, compared and saved."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests import checkpoints
from transformers import AutoModelForMaskedLM, AutoTokenizer

import homeground
from homeground.checkpoint import open_checkpoint
from homeground.cli import run as run_command
from homeground.data import documents, streams
from homeground.data.tokens import token_files
from homeground.engines import open_engine
from homeground.errors import CheckpointError, Stopped, UsageError
from homeground.storage import read_json
from homeground.training import events
from homeground.workflows.compare import compare, evaluate

FAST: dict[str, Any] = {
    "epochs": 2, "learning_rate": 3e-3, "max_length": 24, "batch_size": 8, "bootstrap_draws": 400, "cross_fit": 0,
    "audit": False,
}  # fmt: skip
SENTENCES = (
    "the bank will pay the {} loan by the river",
    "a good {} teacher in the old school by the road",
    "the {} court of law and the new judge in town",
    "this film is a bad movie and the {} book is good",
)


def texts(count: int, seed: int = 0) -> list[str]:
    """Return texts of a few repeated sentences, so that there is something to learn, and a word of chance in each."""
    drawn = random.Random(seed)
    words = ["big", "small", "happy", "sad", "card", "money"]
    return [
        " . ".join(drawn.choice(SENTENCES).format(drawn.choice(words)) for _ in range(drawn.randint(1, 4)))
        + f" {number}"
        for number in range(count)
    ]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("mlm")
    checkpoints.bert(place / "bert", dropout=0.1)
    checkpoints.other(place / "headless", "bert")
    checkpoints.roberta(place / "roberta")
    write(place / "texts.jsonl", texts(240))
    write(place / "general.jsonl", [f"{text} !" for text in texts(120, seed=9)])
    return place


@pytest.fixture(scope="module")
def run(place: Path) -> homeground.Run:
    return homeground.adapt(
        place / "texts.jsonl",
        checkpoint=str(place / "bert"),
        out=str(place / "run"),
        general=str(place / "general.jsonl"),
        pll=60,
        **FAST,
    )


def test_what_is_learned_is_proved(run: homeground.Run) -> None:
    scores = read_json(run.folder / "scores.json")
    assert scores["task"] == "mlm"
    assert scores["verdict"] == "HELPED"
    assert scores["difference"]["low"] > 0.5
    assert scores["after"]["masked_loss"] < scores["before"]["masked_loss"]
    assert scores["after"]["perplexity"] == pytest.approx(np.exp(scores["after"]["masked_loss"]))
    assert scores["head"] is None
    assert scores["general"]["margin"] == 0.05
    assert scores["general"]["verdict"] == "KEPT"
    assert scores["words"]["words"] > 0
    assert scores["words"]["after"] < scores["words"]["before"]


def test_transformers_loads_what_was_saved_and_says_the_same(run: homeground.Run, place: Path) -> None:
    scores = read_json(run.folder / "scores.json")
    model = AutoModelForMaskedLM.from_pretrained(run.model_folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(run.model_folder)
    ids = tokenizer("the bank will [MASK] the big loan by the river", return_tensors="pt")
    with torch.no_grad():
        logits = model(**ids).logits[0, (ids.input_ids[0] == tokenizer.mask_token_id).nonzero()[0, 0]]
    batch = {name: ids[name].numpy() for name in ("input_ids", "attention_mask")}
    batch["labels"] = np.where(batch["input_ids"] == tokenizer.mask_token_id, 5, -100)
    own = open_engine("torch").open_model(open_checkpoint(str(run.folder)), head="masked_lm").head.fill(batch, 3)
    assert own["ids"][0].tolist() == logits.topk(3).indices.tolist()
    again = evaluate(str(run.folder), str(place / "texts.jsonl"), max_length=24)
    assert again["scores"]["masked_loss"] == pytest.approx(scores["after"]["masked_loss"], abs=0.2)
    assert again["seen_in_training"] > 0


def test_a_stopped_run_goes_on_to_the_same_weights(place: Path, run: homeground.Run, monkeypatch) -> None:
    settings = {"checkpoint": str(place / "bert"), "general": str(place / "general.jsonl"), "pll": 60, **FAST}

    def stop_at(event: object) -> None:
        if isinstance(event, events.Step) and event.step == 13:
            monkeypatch.setattr("homeground.training.signals.Signals.__call__", lambda self: 15)

    with pytest.raises(Stopped):
        homeground.adapt(place / "texts.jsonl", out=str(place / "stopped"), on_event=stop_at, **settings)
    monkeypatch.undo()
    homeground.adapt(place / "texts.jsonl", out=str(place / "stopped"), **settings)
    first, second = (
        (folder / "model" / "model.safetensors").read_bytes() for folder in (run.folder, place / "stopped")
    )
    assert first == second


def test_a_corpus_that_is_not_held_gives_the_same_run(place: Path, run: homeground.Run, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(streams, "MAX_BYTES_IN_MEMORY", 0)
    monkeypatch.setattr(documents, "MAX_BYTES_IN_MEMORY", 0)
    monkeypatch.setenv("HOMEGROUND_CACHE", str(tmp_path / "cache"))
    again = homeground.adapt(
        place / "texts.jsonl", checkpoint=str(place / "bert"), out=str(place / "streamed"), pll=60,
        general=str(place / "general.jsonl"), **FAST,
    )  # fmt: skip
    kept = list((tmp_path / "cache" / "tokens").iterdir())
    assert len(kept) == 2
    assert all((folder / "manifest.json").is_file() for folder in kept)
    mine, theirs = (read_json(each.folder / "scores.json") for each in (run, again))
    assert mine["after"] == theirs["after"]
    assert (run.model_folder / "model.safetensors").read_bytes() == (
        again.model_folder / "model.safetensors"
    ).read_bytes()


def test_tokens_that_were_made_ahead_are_those_of_the_run(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in (streams, documents):
        monkeypatch.setattr(module, "MAX_BYTES_IN_MEMORY", 0)
    monkeypatch.setattr(token_files, "PART_CHARACTERS", 5000)
    monkeypatch.setenv("HOMEGROUND_CACHE", str(tmp_path / "cache"))
    settings = ["--checkpoint", str(place / "bert"), "--clean", "remove_punctuation", "--quiet"]
    command = ["adapt", str(place / "texts.jsonl"), *settings]
    for shard in ("1/2", "2/2"):
        assert run_command([*command, "--tokenize", shard, "--json"]) == 0
        learned, measured = json.loads(capsys.readouterr().out)["token_files"]
        assert 0 < learned["made"] < learned["parts"] == measured["parts"]
    made = {path.name for path in (tmp_path / "cache" / "token_parts").iterdir()}
    assert len(made) == learned["parts"] + measured["parts"]
    monkeypatch.setattr(token_files, "write_part", lambda *_: pytest.fail("made again"))
    assert run_command([*command, "--dry-run"]) == 0
    assert len(list((tmp_path / "cache" / "tokens").iterdir())) == 2
    assert run_command([*command, "--tokenize", "1/1"]) == 0
    assert "nothing to do: all these texts have been tokenized" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["texts.jsonl", "--tokenize", "3/2"], "--tokenize 3/2: expected NUMBER/OF, from 1/4 to 4/4"),
        (["texts.jsonl", "--tokenize", "1/2", "--extend-vocabulary", "9"], "--extend-vocabulary 9: which tokens"),
        (["labels.csv", "--tokenize", "1/2"], "is read for classification, and only plain texts are tokenized ahead"),
        (["chain.toml", "--tokenize", "1/2"], "--tokenize is for the texts of one step"),
        (["-", "--format", "jsonl", "--tokenize", "1/2"], "--tokenize: what standard input gives is gone"),
        (["texts.jsonl", "--tokenize", "1/2", "--dry-run"], "--dry-run does not go with --tokenize"),
        (["texts.jsonl", "--tokenize", "1/2", "--processes", "2"], "--processes does not go with --tokenize"),
    ],
)
def test_what_cannot_be_tokenized_ahead_is_refused(
    arguments: list[str], message: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    Path("labels.csv").write_text("text,label\n" + "".join(f"text {n},{'ab'[n % 2]}\n" for n in range(40)))
    Path("chain.toml").write_text('[domain]\ndata = "texts.jsonl"\n[task]\ndata = "labels.csv"\n')
    assert run_command(["adapt", *arguments, "--checkpoint", str(place / "bert")]) == 2
    assert message in capsys.readouterr().err


def test_small_texts_are_not_tokenized_ahead(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["adapt", str(place / "texts.jsonl"), "--checkpoint", str(place / "bert"), "--tokenize", "1/2"]
    assert run_command(command) == 0
    assert "nothing to do: texts of less than 64 MiB are tokenized in memory" in capsys.readouterr().out


def test_a_missing_head_is_fitted_first_and_there_is_no_general_verdict(place: Path) -> None:
    run = homeground.adapt(
        place / "texts.jsonl",
        checkpoint=str(place / "headless"),
        out=str(place / "new-head"),
        general=str(place / "general.jsonl"),
        **FAST | {"epochs": 1},
    )
    scores = read_json(run.folder / "scores.json")
    assert "no trained head" in scores["head"]["why"]
    assert scores["head"]["curve"][0]["value"] > scores["head"]["curve"][-1]["value"]
    assert scores["before"]["masked_loss"] < np.log(len(checkpoints.VOCABULARY)) - 0.2
    assert scores["general"] is None
    assert not (run.folder / "head").exists()


def test_keeping_general_ability_needs_a_head_of_its_own(place: Path) -> None:
    with pytest.raises(UsageError, match="no trained head"):
        homeground.adapt(
            place / "texts.jsonl",
            checkpoint=str(place / "headless"),
            out=str(place / "refused"),
            keep_general=str(place / "general.jsonl"),
            **FAST,
        )
    assert not (place / "refused").exists()


def test_weights_are_merged_so_that_general_text_is_kept(place: Path) -> None:
    run = homeground.adapt(
        place / "texts.jsonl",
        checkpoint=str(place / "bert"),
        out=str(place / "merged"),
        keep_general=str(place / "general.jsonl"),
        **FAST | {"epochs": 1},
    )
    scores = read_json(run.folder / "scores.json")
    assert len(scores["merging"]["points"]) == 11
    assert scores["merging"]["budget"] == 0.025


def test_small_data_is_cross_fitted(place: Path) -> None:
    write(place / "few.jsonl", texts(60))
    settings = {name: value for name, value in FAST.items() if name != "cross_fit"} | {"epochs": 1}
    run = homeground.adapt(place / "few.jsonl", checkpoint=str(place / "bert"), out=str(place / "crossed"), **settings)
    scores = read_json(run.folder / "scores.json")
    assert (scores["cross_fit"], scores["test_examples"]) == (5, 60)
    with pytest.raises(UsageError, match="--cross-fit 0"):
        homeground.adapt(place / "few.jsonl", checkpoint=str(place / "bert"), out=str(place / "x"), pll=9, **settings)


def test_runs_of_one_tokenizer_are_compared_by_their_tokens(run: homeground.Run, place: Path) -> None:
    write(place / "new.jsonl", texts(80, seed=5))
    result = compare(str(place / "bert"), str(run.folder), str(place / "new.jsonl"), max_length=24)
    assert (result["verdict"], result["primary_metric"]) == ("HELPED", "masked_loss")


def test_models_of_other_lengths_are_asked_the_same_tokens(run: homeground.Run, place: Path) -> None:
    write(place / "lengths.jsonl", [" . ".join(texts(4, seed=seed)) for seed in range(60)])
    shorter = place / "shorter"
    shutil.copytree(run.model_folder, shorter)
    (shorter / "manifest.json").unlink()
    settings = read_json(shorter / "homeground.json")
    (shorter / "homeground.json").write_text(json.dumps({**settings, "max_length": 24}))
    # One reads 24 tokens and the other 64: both are measured on blocks of 24.
    result = compare(str(place / "bert"), str(shorter), str(place / "lengths.jsonl"))
    whole = evaluate(str(place / "bert"), str(place / "lengths.jsonl"))["scores"]
    assert result["before"] != whole
    assert result["before"] == evaluate(str(place / "bert"), str(place / "lengths.jsonl"), max_length=24)["scores"]
    assert result["after"] == evaluate(str(shorter), str(place / "lengths.jsonl"))["scores"]


def test_words_are_judged_by_the_documents_they_are_asked_of(run: homeground.Run, place: Path) -> None:
    write(place / "hundred.jsonl", texts(100, seed=7))
    result = compare(str(place / "bert"), str(run.folder), str(place / "hundred.jsonl"), pll=12)
    assert result["difference"]["units"] <= 12
    assert result["verdict"] == "TOO FEW"
    assert "12 test documents" in result["sentence"] or "11 test documents" in result["sentence"]


def test_other_tokenizers_are_compared_by_whole_words_only(run: homeground.Run, place: Path) -> None:
    write(place / "other.jsonl", texts(80, seed=6))
    with pytest.raises(UsageError, match="--pll"):
        compare(str(place / "roberta"), str(run.folder), str(place / "other.jsonl"))
    result = compare(str(place / "roberta"), str(run.folder), str(place / "other.jsonl"), pll=100)
    assert (result["verdict"], result["primary_metric"]) == ("HELPED", "word_loss")


def test_a_checkpoint_without_the_head_cannot_be_compared(run: homeground.Run, place: Path) -> None:
    with pytest.raises(CheckpointError, match="no trained head"):
        compare(str(place / "headless"), str(run.folder), str(place / "texts.jsonl"), max_length=24)


def test_a_run_on_texts_is_a_checkpoint_of_its_own(run: homeground.Run) -> None:
    assert open_checkpoint(str(run.folder)).run == run.folder
