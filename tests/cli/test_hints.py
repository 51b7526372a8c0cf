"""What a user typed and does not exist here, and what is meant by it; and standard input in place of a file."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import PAIR_HEADER, topic_pairs

from homeground.cli import COMMANDS, run
from homeground.cli.terminal.hints import USUAL_COMMANDS
from homeground.recipe.recipe import settings
from homeground.recipe.usual_names import USUAL_NAMES


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("adapt x.csv --lr 1e-4", "--learning-rate"),
        ("adapt x.csv --lr=1e-4", "--learning-rate"),
        ("adapt x.csv -lr 1e-4", "--learning-rate"),
        ("adapt x.csv --learning-rates 1e-4", "--learning-rate"),
        ("adapt x.csv --learning_rate 1e-4", "--learning-rate"),
        ("adapt x.csv --model bert", "--checkpoint"),
        ("adapt x.csv --bs 16", "--batch-size"),
        ("adapt x.csv --per_device_train_batch_size 16", "--batch-size"),
        ("adapt x.csv --num-train-epochs 3", "--epochs"),
        ("adapt x.csv --epoch 3", "--epochs"),
        ("adapt x.csv --max-seq-length 64", "--max-length"),
        ("adapt x.csv --dev dev.csv", "--validation"),
        ("adapt x.csv -o out", "--out"),
        ("predict minilm --out x.csv", "--output"),
        ("evaluate minilm x.csv --sentence1 a", "--text-1"),
        ("train x.csv", "homeground adapt"),
        ("finetune x.csv", "homeground adapt"),
        ("fit x.csv", "homeground adapt"),
        ("eval minilm x.csv", "homeground evaluate"),
        ("classify RUN text", "homeground predict"),
        ("evalute minilm x.csv", "homeground evaluate"),
        ("help", "homeground --help"),
    ],
)
def test_a_usual_or_misspelt_name_gets_the_right_hint(
    typed: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(typed.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"did you mean {meant}?" in line


def test_a_name_that_nothing_is_like_gets_no_guess(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["adapt", "x.csv", "--zzz"]) == 2
    assert run(["frobnicate"]) == 2
    errors = capsys.readouterr().err
    assert "did you mean" not in errors
    assert "homeground adapt --help-all lists all" in errors
    assert f"known: {', '.join(COMMANDS)}" in errors


def test_a_recipe_and_a_keyword_get_the_same_hint(capsys: pytest.CaptureFixture[str]) -> None:
    Path("recipe.toml").write_text('data = "x.csv"\n[training]\nlr = 1e-4\n', encoding="utf-8")
    assert run(["adapt", "recipe.toml"]) == 2
    assert 'did you mean "training.learning_rate"?' in capsys.readouterr().err


def test_usual_names_are_of_settings_and_commands_that_exist() -> None:
    options = {setting.name for setting in settings()} | {"dry_run", "fresh", "input", "output"}
    assert set(USUAL_NAMES) <= options
    assert set(USUAL_COMMANDS) - {"runs"} <= set(COMMANDS)


def test_the_command_alone_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    alone = capsys.readouterr()
    assert run(["--help"]) == 0
    assert alone.out == capsys.readouterr().out
    assert alone.err == ""


def test_missing_and_surplus_arguments_are_named_with_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for typed, expected in (
        (["adapt"], "DATA is missing; usage: homeground adapt [OPTIONS] DATA"),
        (
            ["evaluate", "run", "a.csv", "b.csv"],
            'unexpected argument "b.csv"; usage: homeground evaluate [OPTIONS] RUN|CHECKPOINT DATA',
        ),
    ):
        assert run(typed) == 2
        assert capsys.readouterr().err.strip() == f"homeground: {expected}"


def pipe(content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))


def test_standard_input_is_kept_beside_the_run_and_adapted_to(
    write_csv: Callable[..., Path], encoder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = write_csv("pairs.csv", PAIR_HEADER, topic_pairs(300)).read_text(encoding="utf-8")
    command = ["adapt", "-", "--format", "csv", "--checkpoint", str(encoder), "--epochs", "1"]
    command += ["--bootstrap-draws", "200", "--quiet"]
    pipe(content, monkeypatch)
    assert run([*command, "--dry-run"]) == 0
    assert not Path("runs").exists()
    for _ in range(2):  # the second time, the finished run is found
        pipe(content, monkeypatch)
        assert run(command) == 0
        assert "report.html" in capsys.readouterr().out
    (kept,) = Path("runs").glob("stdin-*.csv")
    assert kept.read_text(encoding="utf-8") == content
    assert [path.name for path in Path("runs").glob("stdin-*-similarity")] == [f"{kept.stem}-similarity"]
    pipe(content, monkeypatch)
    assert run(["evaluate", str(encoder), "-", "--format", "csv", "--json"]) == 0
    assert '"data": "-"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "content", "message"),
    [
        (["adapt", "-"], "a,b\n", "standard input has no name to tell its format by; add --format"),
        (["adapt", "-", "--format", "csv"], "", "standard input is empty"),
        (["adapt", "-", "--format", "orc"], "a,b\n", "--format (csv"),
        (["adapt", "x.csv", "--test", "-"], "a,b\n", "--test -: only DATA may be standard input"),
    ],
)
def test_standard_input_that_cannot_be_read_is_refused(
    arguments: list[str],
    content: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pipe(content, monkeypatch)
    assert run(arguments) == 2
    assert message in capsys.readouterr().err
