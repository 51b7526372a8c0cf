"""The report as a reader and a browser get it."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.reports.sample_run import CHINESE, KINDS, Files, heat_map, sample_files, unscored, write_sample_run

from homeground.errors import DataError, DiskError
from homeground.reports.model_card import model_card
from homeground.reports.report import SECTIONS, render, write_heat_map_report, write_report
from homeground.results.record import read_run

ALLOWED = """
    html head meta title style body main header footer section h1 h2 h3 p span strong em b i bdi br small code
    div dl dt dd ul li table caption thead tbody tr th td figure figcaption svg line rect circle path polyline text
    nav a details summary pre wbr
"""
VOID = {"meta", "br", "wbr"}


class Page(HTMLParser):
    """Reads a page, notes every tag and attribute, and refuses tags that do not close in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"<{tag}> has an attribute twice"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style" and "nav" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def report(folder: Path, **options: Any) -> Page:
    return Page(write_report(write_sample_run(folder, **options)).read_text(encoding="utf-8"))


def is_harmless(link: str, ids: Sequence[str | None]) -> bool:
    """Whether a link leads to a place on the page or saves a table: nothing of the data can become a part of it."""
    return link.removeprefix("#") in ids or bool(
        re.fullmatch(r"data:text/csv;charset=utf-8;base64,[A-Za-z0-9+/=]+", link)
    )


def is_inert(page: Page) -> bool:
    """Whether a page can do nothing but be read."""
    assert not page.open, "a tag was left open"
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids)), "an id is there twice"
    assert {tag for tag, _ in page.tags} <= set(ALLOWED.split())
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert not {"src", "srcset", "action", "data", "xlink:href", "background"} & set(attributes)
        if "href" in attributes:
            assert tag == "a" and is_harmless(attributes["href"] or "", ids), attributes["href"]
        assert "url(" not in (attributes.get("style") or "")
        if tag == "meta" and "http-equiv" in attributes:
            assert attributes["http-equiv"] == "Content-Security-Policy"
            assert attributes["content"] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return True


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chinese", [False, True])
def test_the_first_words_are_the_verdict_and_the_page_is_inert(tmp_path: Path, kind: str, chinese: bool) -> None:
    page = report(tmp_path / "occupations", kind=kind, chinese=chinese)

    assert is_inert(page)
    scores = json.loads((tmp_path / "occupations" / "scores.json").read_text(encoding="utf-8"))
    opening = page.text[:1200]
    for expected in [KINDS[kind]["verdict"], f"{scores['after']['pearson']:.3f}", "General ability"]:
        assert expected in opening
    assert (CHINESE[0] in page.text) == chinese


def test_the_verdict_is_told_by_word_and_shape_and_not_by_colour_alone(tmp_path: Path) -> None:
    shapes = set()
    for kind in KINDS:
        html = write_report(write_sample_run(tmp_path / kind, kind=kind)).read_text(encoding="utf-8")
        shapes.add(html.split('<svg class="shape"', 1)[1].split("</svg>", 1)[0])
    assert len(shapes) == len(KINDS)


def test_what_was_kept_beside_the_model_is_named_with_the_command_that_uses_it(tmp_path: Path) -> None:
    folder = write_sample_run(tmp_path / "run", kind="no-evidence")
    assert "Kept in the run beside it" not in Page(write_report(folder).read_text(encoding="utf-8")).text
    (folder / "before").mkdir()
    text = Page(write_report(folder).read_text(encoding="utf-8")).text
    assert "homeground predict path/to/this/run/before" in text and "this/run/baseline" not in text


def test_the_download_holds_every_test_example_and_the_page_says_so(tmp_path: Path) -> None:
    folder = write_sample_run(tmp_path / "run")
    page = Page(write_report(folder).read_text(encoding="utf-8"))
    (link,) = [str(each["href"]) for tag, each in page.tags if tag == "a" and "download" in each]
    rows = list(csv.DictReader(io.StringIO(base64.b64decode(link.partition("base64,")[2]).decode("utf-8-sig"))))
    examples = sample_files()["examples.jsonl"]
    assert [(row["text_1"], float(row["after"])) for row in rows] == [(e["text_1"], e["after"]) for e in examples]
    assert "its download holds the test examples: check them before you share it" in page.text


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    first = write_report(write_sample_run(tmp_path / "a" / "occupations")).read_bytes()
    assert write_report(write_sample_run(tmp_path / "b" / "occupations")).read_bytes() == first


PAYLOADS = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</style><img src=http://example.org/x onerror=alert(1)>",
    "</title><svg onload=alert(1)>",
    "]]><b>",
    "<!-- ",
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)",
    "&lt;script&gt;&#60;script&#62;",
    "{{7*7}}{% raw %}${7*7}",
    "$x$ \\frac{1}{2}",
    "a\u202eb\u2066c",
    "nul\x00bell\x07escape\x1b[31m\x7f\x85",
    "half\ud800",
    "javascript:alert(1)",
    "=1+1",
    "line\u2028break\nnew",
    "长" * 5000,
]


def poisoned(payload: str) -> Any:
    """Return a change that puts the payload wherever a run folder holds text."""

    def everywhere(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: everywhere(item) for key, item in value.items()}
        if isinstance(value, list):
            return [everywhere(item) for item in value]
        return payload + value if isinstance(value, str) else value

    def change(files: Files) -> None:
        kept = {name: files["scores.json"][name] for name in ("task", "primary_metric", "verdict")}
        for name in ("run.json", "data.json", "scores.json", "examples.jsonl"):
            files[name] = everywhere(files[name])
        files["scores.json"] |= kept
        files["scores.json"]["baselines"] = {payload: {"pearson": 0.1}}
        files["scores.json"]["before"][payload] = files["scores.json"]["after"][payload] = 0.5
        files["data.json"]["columns"] = {payload: payload}
        for line in files["metrics.jsonl"]:
            line[f"validation/{payload}"] = line["step"] * 0.1
        text = payload.encode("utf-8", "replace").decode()
        files["recipe.toml"] = {"data": text, "training": {"loss": text}}

    return change


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: ascii(payload[:24]))
def test_text_from_outside_stays_text(tmp_path: Path, payload: str) -> None:
    page = report(tmp_path / "run", change=poisoned(payload))

    assert is_inert(page)
    seen = page.text + json.dumps([attributes for _, attributes in page.tags], ensure_ascii=False)
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", seen)
    if payload.isascii() and payload.isprintable():
        assert " ".join(payload.split()) in page.text


def test_a_run_named_by_an_attacker_stays_text(tmp_path: Path) -> None:
    page = report(tmp_path / "<script>alert(1)<!--")

    assert is_inert(page)
    assert "<script>alert(1)<!--" in page.text


def test_nothing_in_the_sources_bypasses_the_escaping() -> None:
    room = Path(__file__).parents[2] / "src" / "homeground" / "reports"
    for path in [*room.rglob("*.py"), *room.rglob("*.html")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"Markup\(|markupsafe|\|\s*safe|autoescape (false|off)|autoescape=False", text), path


def without(name: str, key: str) -> Any:
    def change(files: Files) -> None:
        del files[name][key]

    return change


@pytest.mark.parametrize("name", ["run.json", "recipe.toml", "data.json", "metrics.jsonl", "examples.jsonl"])
def test_a_run_without_one_of_its_files_still_has_a_report(tmp_path: Path, name: str) -> None:
    page = report(tmp_path / "run", change=lambda files: files.update({name: None}))

    assert is_inert(page)
    assert "HELPED" in page.text


SCORES = sample_files()["scores.json"]


@pytest.mark.parametrize("key", sorted(set(SCORES) - {"version", "verdict", "primary_metric"}))
def test_a_run_without_one_of_its_scores_still_has_a_report(tmp_path: Path, key: str) -> None:
    page = report(tmp_path / "run", change=without("scores.json", key))

    assert is_inert(page)
    assert not re.search(r"\b(nan|inf|None)\b", page.text)


def test_a_run_with_nothing_but_a_verdict_still_has_a_report(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text('{"version": 1, "verdict": "TOO FEW"}', encoding="utf-8")

    page = Page(write_report(tmp_path).read_text(encoding="utf-8"))

    assert is_inert(page)
    assert "TOO FEW" in page.text


def test_general_ability_that_was_not_measured_says_how_to_measure_it(tmp_path: Path) -> None:
    page = report(tmp_path / "run", change=without("scores.json", "general"))

    assert "not measured" in page.text
    assert "--general FILE" in page.text
    assert "are from outside the domain" not in page.text


def test_pairs_without_scores_are_reported_by_rank(tmp_path: Path) -> None:
    page = report(tmp_path / "run", change=unscored)

    assert is_inert(page)
    assert "Mean reciprocal rank" in page.text
    assert "Rank of the right partner" in page.text
    assert "Target" not in page.text


def test_numbers_that_are_not_finite_become_a_dash(tmp_path: Path) -> None:
    def change(files: Files) -> None:
        files["scores.json"]["before"]["spearman"] = float("nan")
        files["scores.json"]["difference"] |= {"value": float("nan"), "low": None, "high": float("inf")}
        files["scores.json"]["general"]["difference"]["low"] = float("nan")
        files["metrics.jsonl"][3]["train/loss"] = float("inf")

    page = report(tmp_path / "run", change=change)

    assert is_inert(page)
    drawn = [attributes for tag, attributes in page.tags if tag not in ("a", "details")]
    assert not re.search(r"\b(nan|inf|None)\b", page.text + str(drawn))


def test_the_examples_are_those_that_moved_furthest(tmp_path: Path) -> None:
    def change(files: Files) -> None:
        # Errors shrink by 0.01 to 0.15 for fifteen pairs, grow as much for fifteen others, and stay for one.
        moves = [*range(-15, 0), 0, *range(1, 16)]
        files["examples.jsonl"] = [
            {
                "row": 1,
                "text_1": f"moved by {move}",
                "text_2": "b",
                "similarity": 0.5,
                "before": 0.7,
                "after": 0.7 - move / 100,
            }
            for move in moves
        ]

    text = report(tmp_path / "run", change=change).text
    better, worse = text.split("Pairs with the largest changes")[1].split("The data")[0].split("Worse", 1)

    assert "Of 31 test pairs, 15 got better and 15 got worse" in text
    assert [int(move) for move in re.findall(r"moved by (-?\d+)", better)] == list(range(15, 5, -1))
    assert [int(move) for move in re.findall(r"moved by (-?\d+)", worse)] == list(range(-15, -5))
    assert "0.50 0.70 0.55 +0.15" in better
    assert "0.50 0.70 0.85 −0.15" in worse


def test_before_and_after_share_one_colour_scale_and_the_difference_is_symmetric(tmp_path: Path) -> None:
    def change(files: Files) -> None:
        files["scores.json"]["heat_map"] = {
            "titles": ["one", "two", "three"],
            "before": [[1, 0.5, 0.8], [0.5, 1, 0.7], [0.8, 0.7, 1]],
            "after": [[1, 0.8, 0.2], [0.8, 1, 0.7], [0.2, 0.7, 1]],
        }

    html = write_report(write_sample_run(tmp_path / "run", change=change)).read_text(encoding="utf-8")
    cells = re.findall(r'background:(#\w{6});color:(#\w{6})" title="([^"]+)"', html)
    before, after, moved = cells[:9], cells[9:18], cells[18:]

    assert [cell[2] for cell in before[:3]] == ["1.000", "0.500", "0.800"]
    assert {colour for colour, _, value in before + after if value == "0.800"} == {before[2][0]}
    assert [cell[2] for cell in moved[:3]] == ["0.000", "+0.300", "−0.600"]
    assert len({colour for colour, _, _ in moved}) == 3
    assert "<span>0.2</span>" in html, "the scale begins at the lowest similarity of both maps"
    assert "<span>−0.60</span>" in html
    assert "<span>+0.60</span>" in html


def test_many_titles_are_drawn_without_values(tmp_path: Path) -> None:
    titles = [f"title {index}" for index in range(30)]
    page = report(
        tmp_path / "run", change=lambda files: files["scores.json"].update(heat_map=heat_map(titles).to_json())
    )

    assert is_inert(page)
    maps = [attributes for tag, attributes in page.tags if tag == "table" and "heat" in (attributes.get("class") or "")]
    assert [attributes["class"] for attributes in maps] == ["heat dense"] * 3


BELOW = {"name": "tf-idf cosine", "instead": "Compare by TF-IDF", "value": -0.1, "low": -0.2, "high": -0.05}


@pytest.mark.parametrize(
    ("kind", "change", "advice"),
    [
        ("helped", {}, "as good as before outside it"),
        ("helped", {"baseline_difference": BELOW}, "Compare by TF-IDF: it is better than the adapted model"),
        ("helped", {"general": {"verdict": "FORGOT"}}, "for texts of this domain only"),
        ("helped", {"general": None}, "outside it was not measured"),
        ("no-evidence", {}, "Keep the original checkpoint: there is no evidence"),
        ("hurt", {}, "Keep the original checkpoint: adapting made it worse"),
        ("too-few", {}, "Do not decide on this test"),
    ],
)
def test_the_page_says_what_to_do(tmp_path: Path, kind: str, change: dict[str, Any], advice: str) -> None:
    page = report(tmp_path / "run", kind=kind, change=lambda files: files["scores.json"].update(change))

    assert advice in page.text


def test_a_gain_on_pairs_seen_in_training_is_explained(tmp_path: Path) -> None:
    reason = "the model after learned from 7 test pairs, so its lead may be memory"
    change = {"verdict": "NO EVIDENCE", "seen_in_training": 7, "reason": reason}
    page = report(tmp_path / "run", change=lambda files: files["scores.json"].update(change))

    assert f"T{reason[1:]}." in page.text
    assert "A test set without the pairs from the training data" in page.text
    assert "Test again on new pairs" in page.text
    assert "so small" not in page.text


def test_no_evidence_says_how_large_a_test_would_be_needed(tmp_path: Path) -> None:
    change = {"difference": {"value": 0.01, "low": -0.01, "high": 0.03}, "smallest_detectable": 0.02, "test_units": 61}
    page = report(tmp_path / "run", kind="no-evidence", change=lambda files: files["scores.json"].update(change))

    assert "About 250 independent test units are needed to detect a change of this size." in page.text


def test_a_test_set_used_again_is_counted(tmp_path: Path) -> None:
    change = {"test_set": {"hash": "9f", "verdict_number": 7}}
    page = report(tmp_path / "run", change=lambda files: files["scores.json"].update(change))

    assert "A new test set: this one has now been used for 7 verdicts." in page.text


def test_rows_set_aside_are_counted_and_named(tmp_path: Path) -> None:
    text = report(tmp_path / "run").text

    assert "empty text 3 17, 20, 31" in text
    assert "score is not a number 6 44, 45, 46, 47, 48, 49" in text


def test_every_setting_of_the_recipe_is_shown(tmp_path: Path) -> None:
    page = report(tmp_path / "run")
    record = read_run(tmp_path / "run")

    for section in ("training", "evaluation", "split"):
        for name in record.recipe[section]:
            assert name in page.text


def test_every_section_has_a_macro_of_its_own() -> None:
    templates = Path(__file__).parents[2] / "src" / "homeground" / "reports" / "templates"
    for section in SECTIONS:
        template = templates / f"{section.__module__.rpartition('.')[2]}.html"
        assert f"{{% macro {section.__name__}(section, record, page) %}}" in template.read_text(encoding="utf-8")


def test_a_long_run_stays_a_small_file(tmp_path: Path) -> None:
    def change(files: Files) -> None:
        files["metrics.jsonl"] = [{"step": step, "train/loss": 1 / step} for step in range(1, 50_001)]

    assert write_report(write_sample_run(tmp_path / "run", change=change)).stat().st_size < 150_000


def test_a_line_that_a_killed_run_left_half_written_is_not_read(tmp_path: Path) -> None:
    folder = write_sample_run(tmp_path / "run")
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 257, "train/lo')

    assert is_inert(Page(render(read_run(folder))))


def test_a_folder_without_scores_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no scores\.json; a report needs a finished run"):
        write_report(tmp_path)


def test_a_damaged_file_is_named_with_its_line(tmp_path: Path) -> None:
    folder = write_sample_run(tmp_path / "run", change=lambda files: files.update({"examples.jsonl": "{}\n[\n"}))

    with pytest.raises(DataError, match=r"examples\.jsonl, line 2: is not JSON"):
        write_report(folder)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("scores.json", {"test_units": "many"}, r'scores\.json: field "test_units": .* got \'many\''),
        ("scores.json", {"difference": {"low": [0]}}, r'scores\.json: field "difference\.low"'),
        ("scores.json", {"verdict": "GREAT"}, r'scores\.json: field "verdict": .*HELPED'),
        ("data.json", {"files": [{"rows": 3}]}, r'data\.json: field "files\.0\.path"'),
        ("data.json", {"counts": None}, r'data\.json: field "counts"'),
    ],
)
def test_a_field_of_another_kind_is_named_with_its_file(
    tmp_path: Path, name: str, change: dict[str, Any], message: str
) -> None:
    folder = write_sample_run(tmp_path / "run", change=lambda files: files[name].update(change))

    with pytest.raises(DataError, match=message):
        write_report(folder)


def test_scores_of_another_version_are_refused(tmp_path: Path) -> None:
    folder = write_sample_run(tmp_path / "run", change=lambda files: files["scores.json"].update(version=2))

    with pytest.raises(DataError, match="version is 2; expected 1"):
        write_report(folder)


def test_a_failed_write_leaves_the_old_report_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_sample_run(tmp_path / "run")
    (folder / "report.html").write_text("old", encoding="utf-8")
    before = sorted(path.name for path in folder.iterdir())

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError):
        write_report(folder)

    assert (folder / "report.html").read_text(encoding="utf-8") == "old"
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_checkpoint_gets_one_heat_map_and_its_nearest_pairs(tmp_path: Path) -> None:
    titles = ["cook", "chef", "<script>"]
    similarities = [[1, 0.9, 0.4], [0.9, 1, 0.5], [0.4, 0.5, 1]]

    path = write_heat_map_report(titles, similarities, checkpoint_name="</title><b>x", path=tmp_path / "map.html")
    page = Page(path.read_text(encoding="utf-8"))

    assert is_inert(page)
    assert "</title><b>x" in page.text
    nearest = page.text.split("Most similar")[1].split("Least similar")[0].split()
    assert nearest[:4] == ["0.90", "chef", "·", "cook"]


@pytest.mark.parametrize(
    ("titles", "similarities", "message"),
    [
        (["a", "b"], [[1, 0.5]], "is not a square of 2 rows"),
        (["a"], [[1]], "expected two titles or more"),
        (["a", "b"], [[1, float("nan")], [0.5, 1]], "not a finite number"),
    ],
)
def test_a_heat_map_that_does_not_fit_is_refused(
    tmp_path: Path, titles: list[str], similarities: list[list[float]], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        write_heat_map_report(titles, similarities, checkpoint_name="x", path=tmp_path / "map.html")


def test_pairs_without_scores_are_shown_with_their_texts(tmp_path: Path) -> None:
    def change(files: Files) -> None:
        unscored(files)
        for row in files["examples.jsonl"]:
            row["anchor"], row["positive"] = f"anchor {row.pop('text_1')}", f"positive {row.pop('text_2')}"

    text = report(tmp_path / "run", change=change).text
    assert "anchor " in text and "positive " in text


def test_what_the_splits_share_is_looked_for_and_shown(tmp_path: Path) -> None:
    def change(files: Files) -> None:
        files["data.json"]["shared_with_training"] = {"texts": 4321, "groups": None}

    text = report(tmp_path / "run", change=change).text
    assert "Test texts that are also in train or validation 4,321" in text
    assert "Test groups" not in text


@pytest.mark.parametrize(
    ("monitor", "validated", "keep", "said"),
    [
        ("", True, "best", "the best on validation"),
        ("validation/loss", True, "best", "the best on validation"),
        ("train/epoch_loss", True, "best", "the best by the training loss"),
        ("", False, "best", "the best by the training loss"),
        ("", True, "last", "The saved weights are those of the last step"),
    ],
)
def test_the_curves_say_what_chose_the_weights(
    tmp_path: Path, monitor: str, validated: bool, keep: str, said: str
) -> None:
    def change(files: Files) -> None:
        files["recipe.toml"]["training"] |= {"monitor": monitor} if monitor else {}
        if not validated:
            files["metrics.jsonl"] = [line for line in files["metrics.jsonl"] if "validation/loss" not in line]
        files["scores.json"]["training"] |= {"keep": keep, "best_step": 192 if keep == "best" else None}

    text = report(tmp_path / "run", change=change).text
    told = [words for words in ("the best on validation", "the best by the training loss") if words in text]
    assert said in text
    assert told == ([said] if keep == "best" else [])
    assert "The merge weight was selected" not in text


@pytest.mark.parametrize("primary", ["mrr", "accuracy_at_1"])
def test_only_scored_pairs_have_given_similarities(tmp_path: Path, primary: str) -> None:
    def change(files: Files) -> None:
        unscored(files)
        files["scores.json"]["primary_metric"] = primary

    assert "The similarities in the data are taken as correct" not in report(tmp_path / "ranked", change=change).text
    assert "The similarities in the data are taken as correct" in report(tmp_path / "scored").text


def test_only_a_random_split_is_said_to_keep_together_what_belongs_together(tmp_path: Path) -> None:
    for kind in ("random", "ordered", "files"):
        change = {"kind": kind, "unit": "group", "units": {}}
        page = report(tmp_path / kind, change=lambda files, change=change: files["data.json"].update(split=change))
        assert ("rows that belong together (group) stay in one split" in page.text) == (kind == "random")


def test_a_task_without_words_of_its_own_has_a_neutral_page_and_card(tmp_path: Path) -> None:
    def change(files: Files) -> None:
        files["scores.json"] |= {"task": "translation", "example": "test example"}
        files["data.json"]["columns"] = {"source": "en", "target": "de"}
        for line in files["examples.jsonl"]:
            del line["text_1"], line["text_2"]

    page = report(tmp_path / "run", change=change)
    card = model_card(read_run(tmp_path / "run"))

    assert is_inert(page)
    assert re.search(r"\d+ test examples in 61 independent groups", page.text)
    for words in ("test pair", "document", "taken as correct", "largest changes", "contradicting"):
        assert words not in page.text
    assert "pipeline_tag: feature-extraction" in card
    assert 'homeground.load("path/to/this/model")' in card
