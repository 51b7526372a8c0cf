"""The report of a classification as a reader and a browser get it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.reports.sample_classification import CLASSIFICATIONS
from tests.reports.sample_run import Files, sample_files, write_sample_run
from tests.reports.test_report import PAYLOADS, Page, is_inert, poisoned, report

from homeground.errors import DataError
from homeground.reports.report import write_report

FILES = {kind: sample_files(kind=kind) for kind in CLASSIFICATIONS}


def copied(kind: str) -> Files:
    return {name: text if isinstance(text, str) else json.loads(json.dumps(text)) for name, text in FILES[kind].items()}


def page_of(folder: Path, kind: str, change: Any = None) -> Page:
    def replace(files: Files) -> None:
        files.clear()
        files.update(copied(kind))
        if change:
            change(files)

    return report(folder, change=replace)


@pytest.mark.parametrize("kind", CLASSIFICATIONS)
def test_the_first_words_are_the_verdict_and_the_page_is_inert(tmp_path: Path, kind: str) -> None:
    page = page_of(tmp_path / kind, kind)

    assert is_inert(page)
    scores = FILES[kind]["scores.json"]
    opening = page.text[:1200]
    for expected in [scores["verdict"], f"{scores['after'][scores['primary_metric']]:.3f}", "test texts"]:
        assert expected in opening
    assert not re.search(r"\b(nan|inf|(?<!top_k=)None)\b", page.text)


@pytest.mark.parametrize("kind", CLASSIFICATIONS)
def test_the_page_speaks_of_texts_and_labels_and_never_of_pairs_of_a_test(tmp_path: Path, kind: str) -> None:
    text = page_of(tmp_path / kind, kind).text

    assert "test pair" not in text
    assert "given similarities" not in text
    assert "Of these, with contradicting labels" in text
    assert "with a head fitted on top of it" in text
    assert "Pairs with the largest changes" not in text


def test_pairs_of_texts_with_labels_are_called_pairs(tmp_path: Path) -> None:
    def change(files: Files) -> None:
        files["data.json"]["columns"] = {"text_1": "a", "text_2": "b", "label": "label"}
        for line in files["examples.jsonl"]:
            line |= {"text_1": "the first side", "text_2": "the second side", "text": None}

    text = page_of(tmp_path / "run", "reviews", change).text

    assert "Measured on the same 420 test pairs" in text
    assert "the first side" in text
    assert "the second side" in text


def test_every_metric_is_explained_in_words(tmp_path: Path) -> None:
    for kind in ("reviews", "topics"):
        text = page_of(tmp_path / kind, kind).text.split("The scores")[1].split("General ability")[0]
        measured = FILES[kind]["scores.json"]["after"]
        assert not [name for name in measured if name in text.split("Scores by class")[0]]
        assert text.split("Scores by class")[0].count(" is better.") == len(measured)


CONFUSION = {
    "classes": ["cat", "dog", "owl"],
    "confusion": {
        "before": [[5, 5, 0], [2, 8, 0], [1, 0, 9]],
        "after": [[9, 1, 0], [4, 6, 0], [0, 0, 10]],
    },
}


def test_confusions_are_counted_and_coloured_by_what_is_right(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    page = page_of(folder, "reviews", lambda files: files["scores.json"].update(CONFUSION))
    html = (folder / "report.html").read_text(encoding="utf-8")
    cells = re.findall(r'background:(#\w{6});color:#\w{6}" title="([^"]+)">([^<]*)<', html)
    before, after, change = cells[:9], cells[9:18], cells[18:27]

    assert [text for _, _, text in before] == ["5", "5", "·", "2", "8", "·", "1", "·", "9"]
    assert after[1][1] == "cat, predicted as dog: 1 of 10"
    assert [text for _, _, text in change] == ["+4", "−4", "·", "+2", "−2", "·", "−1", "·", "+1"]
    # More right and less wrong are one colour, the reverse the other.
    assert change[0][0] == change[1][0]
    assert change[3][0] == change[4][0] != change[0][0]
    assert "Of 30 test texts, 8 were misclassified before and 5 after" in page.text
    assert "dog predicted as cat 2 4 40% cat predicted as dog 5 1 10% owl predicted as cat 1 0 0%" in page.text


def test_many_classes_are_a_fine_grid_of_what_is_not_empty(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    page = page_of(folder, "intents")
    html = (folder / "report.html").read_text(encoding="utf-8")

    grids = html.split('<figure class="chart fine">')[1:]
    confusion = FILES["intents"]["scores.json"]["confusion"]
    filled = [sum(value > 0 for row in confusion[side] for value in row) for side in ("after", "before")]
    assert [grid.split("</figure>")[0].count("<title>") for grid in grids[:2]] == filled
    assert 'class="heat' not in html
    assert "Confused most often" in page.text
    assert len(re.sub(r"base64,[^\"]+", "", html)) < 600_000


def test_a_moderate_number_of_classes_has_names_and_no_counts(tmp_path: Path) -> None:
    size = 20
    matrix = [[5 if i == j else 0 for j in range(size)] for i in range(size)]
    change = {"classes": [f"c{i}" for i in range(size)], "confusion": {"before": matrix, "after": matrix}}
    page = page_of(tmp_path / "run", "reviews", lambda files: files["scores.json"].update(change))

    maps = [attributes for tag, attributes in page.tags if tag == "table" and "heat" in (attributes.get("class") or "")]
    assert [attributes["class"] for attributes in maps] == ["heat dense"] * 3
    assert "No test text was misclassified." in page.text


@pytest.mark.parametrize("matrix", [[[1, 2]], [[1, 2], [3]], [[1, -1], [0, 1]], [[1, "2"], [0, 1]]])
def test_a_confusion_matrix_that_does_not_fit_is_refused(tmp_path: Path, matrix: Any) -> None:
    change = {"confusion": {"before": [[1, 0], [0, 1]], "after": matrix}}

    with pytest.raises(DataError, match=r"the confusion matrix|confusion\.after"):
        page_of(tmp_path / "run", "reviews", lambda files: files["scores.json"].update(change))


def test_several_labels_a_text_have_no_confusion_matrix(tmp_path: Path) -> None:
    text = page_of(tmp_path / "run", "topics").text

    assert "Confusion matrix" not in text
    assert "Exact match" in text
    assert "A prediction is right only if it has all labels and no other" in text


@pytest.mark.parametrize("kind", ["news-zh", "intents", "topics"])
def test_the_classes_found_worst_stand_first(tmp_path: Path, kind: str) -> None:
    text = page_of(tmp_path / "run", kind).text.split("Scores by class")[1]
    rows = FILES[kind]["scores.json"]["per_class"]["after"]

    places = [text.index(f" {row['label']} ") for row in sorted(rows, key=lambda row: row["f1"])]
    assert places[0] == min(places)
    assert places[-1] == max(places)


def test_the_calibration_error_is_told_in_words(tmp_path: Path) -> None:
    def stated(confidence: float, right: float) -> str:
        bins = [{"confidence": confidence, "accuracy": right, "count": 10}]
        change = {"reliability": {"before": bins, "after": bins}}
        return page_of(tmp_path / "run", "reviews", lambda files: files["scores.json"].update(change)).text

    assert "overconfident: its mean confidence is 90%, and 70% of its answers are right" in stated(0.9, 0.7)
    assert "underconfident" in stated(0.6, 0.7)
    assert "well calibrated" in stated(0.71, 0.7)


def test_bins_without_answers_are_not_drawn(tmp_path: Path) -> None:
    full, empty = {"confidence": 0.9, "accuracy": 0.8, "count": 5}, {"confidence": None, "accuracy": None, "count": 0}
    change = {"reliability": {"before": [empty], "after": [empty, empty | {"confidence": 0.1, "accuracy": 0.0}, full]}}
    page = page_of(tmp_path / "run", "reviews", lambda files: files["scores.json"].update(change))

    assert is_inert(page)
    html = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    diagram = html.split('class="chart reliability"')[1].split("</figure>")[0]
    assert diagram.count("<circle") == 1
    assert not re.search(r"\b(nan|inf|(?<!top_k=)None)\b", page.text)


def answered(label: Any, before: tuple[Any, float], after: tuple[Any, float], row: int) -> dict[str, Any]:
    sides = {side: {"label": said, "probability": p} for side, (said, p) in {"before": before, "after": after}.items()}
    return {"row": row, "text": f"text {row}", "label": label, **sides}


def test_fixed_broken_and_the_surest_mistakes_are_listed_by_confidence(tmp_path: Path) -> None:
    lines = [
        answered("a", ("b", 0.6), ("a", 0.7), 1),
        answered("a", ("b", 0.6), ("a", 0.9), 2),
        answered("a", ("a", 0.6), ("b", 0.55), 3),
        answered("a", ("b", 0.6), ("b", 0.99), 4),
        answered("a", ("a", 0.6), ("a", 0.99), 5),
    ]
    change = {"mcnemar": {"fixed": 2, "broke": 1, "p": 1.0}}

    def replace(files: Files) -> None:
        files["examples.jsonl"] = lines
        files["scores.json"] |= change

    text = page_of(tmp_path / "run", "reviews", replace).text.split("Fixed and broken predictions")[1]
    text = text.split("Training")[0]
    _, fixed, broken = re.split(r"Fixed Text|Broken Text", text)
    broken, mistakes = broken.split("Most confident errors")

    assert "right before and after 1 20% fixed 2 40% broken 1 20% wrong before and after 1 20%" in text
    assert "with a probability of 1.00 " in text
    assert re.findall(r"text (\d)", fixed) == ["2", "1"]
    assert re.findall(r"text (\d)", broken) == ["3"]
    assert re.findall(r"text (\d)", mistakes) == ["4", "3"]


def test_an_answer_with_several_labels_shows_which_are_missed(tmp_path: Path) -> None:
    lines = [
        answered(["a", "b"], (["a", "c"], 0.4), (["b", "a"], 0.8), 1),
        answered([], ([], 0.9), (["c"], 0.7), 2),
    ]
    text = page_of(tmp_path / "run", "topics", lambda files: files.update({"examples.jsonl": lines})).text

    assert (
        "Fixed Text Label Before After text 1 row 1 a b a c b missed confidence 0.40 b a confidence 0.80 Broken" in text
    )
    assert "Broken Text Label Before After text 2 row 2 none none confidence 0.90 c confidence 0.70 Most" in text


@pytest.mark.parametrize(
    ("p", "told"), [(1e-9, "less than 0.0001"), (0.0042, "0.0042"), (0.25, "0.25"), (None, "McNemar")]
)
def test_the_probability_of_mcnemars_test_is_never_zero(tmp_path: Path, p: float | None, told: str) -> None:
    change = {"mcnemar": {"fixed": 9, "broke": 1, "p": p}}
    text = page_of(tmp_path / "run", "reviews", lambda files: files["scores.json"].update(change)).text

    assert (f"with a probability of {told}" in text) if p else (told not in text)


def test_the_head_and_the_search_show_what_was_chosen(tmp_path: Path) -> None:
    text = page_of(tmp_path / "run", "reviews").text.split("Selection on validation")[1].split("The data")[0]

    assert "C = 1 (first token) has the lowest validation loss" in text
    assert "the mean of all token vectors reached 0.6000" in text
    assert text.count("selected 0.6100") == 1
    assert "3e−5 4 2 min 4 s selected 0.780" in text
    assert text.count("selected 0.7") == 1
    assert "3e−4 failed (step 9) 4 4 s –" in text


def test_accuracy_and_macro_f1_share_a_chart(tmp_path: Path) -> None:
    text = page_of(tmp_path / "run", "reviews").text

    assert "Accuracy and macro F1 (validation)" in text
    assert "Log loss (validation)" not in text, "the loss is drawn once"


def test_a_gain_on_a_handful_of_texts_is_explained(tmp_path: Path) -> None:
    reason = "the two models are scored differently on only 4 test texts, and fewer than 6 show nothing"
    change = {"verdict": "NO EVIDENCE", "reason": reason}
    text = page_of(tmp_path / "run", "reviews", lambda files: files["scores.json"].update(change)).text

    assert f"T{reason[1:]}." in text
    assert "Test again on new texts" in text


def test_no_evidence_advises_the_checkpoint_with_its_head(tmp_path: Path) -> None:
    assert (
        "Keep the original checkpoint, with the head that was fitted to it" in page_of(tmp_path / "run", "news-zh").text
    )


SCORES = FILES["reviews"]["scores.json"]


@pytest.mark.parametrize("key", sorted(set(SCORES) - {"version", "verdict", "primary_metric"}))
def test_a_run_without_one_of_its_scores_still_has_a_report(tmp_path: Path, key: str) -> None:
    page = page_of(tmp_path / "run", "reviews", lambda files: files["scores.json"].pop(key))

    assert is_inert(page)
    assert not re.search(r"\b(nan|inf|(?<!top_k=)None)\b", page.text)


@pytest.mark.parametrize("name", ["run.json", "recipe.toml", "data.json", "metrics.jsonl", "examples.jsonl"])
def test_a_run_without_one_of_its_files_still_has_a_report(tmp_path: Path, name: str) -> None:
    assert is_inert(page_of(tmp_path / "run", "reviews", lambda files: files.update({name: None})))


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: ascii(payload[:24]))
@pytest.mark.parametrize("kind", ["reviews", "intents", "topics"])
def test_text_from_outside_stays_text(tmp_path: Path, kind: str, payload: str) -> None:
    def change(files: Files) -> None:
        poisoned(payload)(files)
        files["examples.jsonl"] = files["examples.jsonl"][:50]

    page = page_of(tmp_path / "run", kind, change)

    assert is_inert(page)
    seen = page.text + json.dumps([attributes for _, attributes in page.tags], ensure_ascii=False)
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", seen)


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    first = write_report(write_sample_run(tmp_path / "a" / "run", kind="news-zh")).read_bytes()
    assert write_report(write_sample_run(tmp_path / "b" / "run", kind="news-zh")).read_bytes() == first


def test_a_class_of_too_few_texts_has_no_interval_and_says_so(tmp_path: Path) -> None:
    def change(files: Files) -> None:
        for side in files["scores.json"]["per_class"].values():
            side[0] |= {"support": 2, "low": None, "high": None}

    plain, rare = (page_of(tmp_path / name, "reviews", todo).text for name, todo in (("a", None), ("b", change)))
    assert "too few" not in plain.split("Scores by class")[1].split("General ability")[0]
    assert re.search(r"2 texts, too few", rare)
    assert "too few for an interval, none is drawn" in rare


def test_too_few_of_a_class_is_not_told_as_too_few_units(tmp_path: Path) -> None:
    def change(files: Files) -> None:
        files["scores.json"] |= {"verdict": "TOO FEW", "reason": "the class is rare", "units_needed": 777}

    text = page_of(tmp_path / "run", "reviews", change).text
    assert "The class is rare." in text
    assert "At least 777 independent units" in text
