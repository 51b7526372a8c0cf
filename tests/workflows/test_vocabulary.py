"""A vocabulary extended for a domain, from a recipe to a saved model, and what it was worth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests import checkpoints
from tests.conftest import FAST
from transformers import AutoModelForMaskedLM, AutoTokenizer

import homeground
from homeground.cli import run as command
from homeground.errors import DataError, UsageError
from homeground.randomness import generator
from homeground.training.events import Event, Notice

WORDS = ["the", "a", "of", "and", "to", "in", "is", "for", "with", "bank", "money", "goblin", "quokka", "zebrawood"]
SETTINGS: Any = {**FAST, "task": "mlm", "epochs": 1, "cross_fit": 0, "audit": False, "quiet": True, "pll": 60}


def write(place: Path, words: list[str]) -> str:
    """Write 80 texts of ten words drawn at random."""
    lines = [
        " ".join(words[at] for at in generator(0, "texts", row).integers(len(words), size=10)) for row in range(80)
    ]
    place.write_text("\n".join(f"{number} {line}" for number, line in enumerate(lines)) + "\n", encoding="utf-8")
    return str(place)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(checkpoints.bert(tmp_path_factory.mktemp("bert") / "bert"))


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("texts") / "texts.txt", WORDS)


@pytest.fixture(scope="module")
def extended_run(texts: str, bert: str, tmp_path_factory: pytest.TempPathFactory) -> homeground.Run:
    out = str(tmp_path_factory.mktemp("extended") / "run")
    return homeground.adapt(
        texts, checkpoint=bert, extend_vocabulary=10, ablate_vocabulary=True, general=texts, out=out, **SETTINGS
    )


def test_the_new_tokens_are_reported(extended_run: homeground.Run):
    added = json.loads((extended_run.folder / "data.json").read_text())["vocabulary"]
    assert (added["asked"], added["tokens"], added["words"]) == (10, 3, 3)
    assert {each["word"] for each in added["listed"]} == {"goblin", "quokka", "zebrawood"}
    assert all(len(each["pieces"]) > 1 for each in added["listed"])
    report = extended_run.report_path.read_text(encoding="utf-8")
    assert "New tokens" in report
    assert "zebrawood" in report


def test_the_saved_model_reads_the_words_whole_in_transformers(extended_run: homeground.Run):
    tokenizer = AutoTokenizer.from_pretrained(extended_run.model_folder)
    model = AutoModelForMaskedLM.from_pretrained(extended_run.model_folder)
    assert tokenizer.tokenize("the goblin and zebrawood") == ["the", "goblin", "and", "zebrawood"]
    assert model.get_input_embeddings().weight.shape[0] == len(checkpoints.VOCABULARY) + 3
    tokens = [answer.token for answer in extended_run.load().fill_mask("the [MASK] is", top=len(tokenizer))]
    assert {"goblin", "quokka", "zebrawood"} <= set(tokens)


def test_words_decide_and_before_is_the_checkpoint_with_its_own_tokens(
    extended_run: homeground.Run, texts: str, bert: str
):
    scores = json.loads((extended_run.folder / "scores.json").read_text())
    assert scores["primary_metric"] == "word_loss"
    assert list(scores["before"]) == ["word_loss"]
    # The same words asked of the checkpoint alone by a run that decides by words and adds no token.
    plain = json.loads((extended_run.folder / "unextended/scores.json").read_text())
    assert plain["before"]["word_loss"] == scores["before"]["word_loss"]
    assert plain["after"]["word_loss"] != scores["after"]["word_loss"]
    assert scores["general"]["metric"] == "word_loss"
    line = json.loads((extended_run.folder / "examples.jsonl").read_text().splitlines()[0])
    assert {"words", "before", "after"} <= set(line)


def test_the_ablation_says_what_the_tokens_were_worth(extended_run: homeground.Run):
    compared = json.loads((extended_run.folder / "vocabulary.json").read_text())
    without = homeground.Run(extended_run.folder / "unextended")
    assert compared["before"]["word_loss"] == without.after
    assert compared["after"]["word_loss"] == extended_run.after
    assert "trained once more without them" in extended_run.report_path.read_text(encoding="utf-8")


def test_the_same_command_returns_the_run_and_says_it(extended_run: homeground.Run, texts: str, bert: str):
    said: list[Event] = []
    again = homeground.adapt(
        texts,
        checkpoint=bert,
        extend_vocabulary=10,
        ablate_vocabulary=True,
        general=texts,
        out=str(extended_run.folder),
        on_event=said.append,
        **SETTINGS,
    )
    notices = [event.text for event in said if isinstance(event, Notice)]
    assert any("3 tokens were added for 3 words such as" in text for text in notices)
    assert again.sentence == extended_run.sentence
    assert command(["report", str(extended_run.folder)]) == 0
    assert "New tokens" in extended_run.report_path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"primary_metric": "perplexity"}, "primary-metric perplexity"),
        ({"primary_metric": "masked_loss"}, "is of tokens, and --extend-vocabulary changes them"),
        ({"keep_general": "GENERAL", "general": "GENERAL"}, "--keep-general merges weights of both models"),
        ({"cross_fit": 3}, "--extend-vocabulary 10 asks words of the model that is kept"),
        ({"extend_vocabulary": 0, "ablate_vocabulary": True}, "give their number with --extend-vocabulary"),
    ],
)
def test_what_does_not_go_together_is_refused(
    settings: dict[str, Any], message: str, texts: str, bert: str, tmp_path: Path
):
    given = {name: texts if value == "GENERAL" else value for name, value in settings.items()}
    with pytest.raises(UsageError, match=message):
        homeground.adapt(
            texts, checkpoint=bert, out=str(tmp_path / "run"), **{**SETTINGS, "extend_vocabulary": 10, **given}
        )


def test_a_checkpoint_without_a_head_for_masked_words_is_refused(texts: str, encoder: Path, tmp_path: Path):
    headless = str(checkpoints.distilbert(tmp_path / "distilbert"))
    with pytest.raises(UsageError, match="no trained head for masked words, which new tokens start from"):
        homeground.adapt(texts, checkpoint=headless, extend_vocabulary=5, out=str(tmp_path / "run"), **SETTINGS)


def test_texts_without_broken_words_are_refused(bert: str, tmp_path: Path):
    plain = write(tmp_path / "plain.txt", ["the", "bank", "money", "法律", "good"])
    with pytest.raises(DataError, match="breaks no word of letters"):
        homeground.adapt(plain, checkpoint=bert, extend_vocabulary=5, out=str(tmp_path / "run"), **SETTINGS)


def test_words_may_decide_without_new_tokens(texts: str, bert: str, tmp_path: Path):
    run = homeground.adapt(
        texts, checkpoint=bert, primary_metric="word_loss", out=str(tmp_path / "run"), **{**SETTINGS, "pll": 40}
    )
    compared = homeground.compare(bert, run, texts, pll=40, task="mlm")
    assert run.scores["primary_metric"] == compared["primary_metric"] == "word_loss"
    with pytest.raises(UsageError, match="--pll 0 asks for no word"):
        homeground.adapt(
            texts, checkpoint=bert, primary_metric="word_loss", out=str(tmp_path / "no"), **{**SETTINGS, "pll": 0}
        )
