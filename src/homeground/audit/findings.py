"""From what was counted to what the user should know: findings with their advice, the gravest first, in plain words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from homeground.audit.audited import AuditedExamples
from homeground.checkpoint import CatalogEntry
from homeground.data.units import MIN_UNITS
from homeground.results.audit import (
    AuditRecord,
    CheapModelRecord,
    ClassSize,
    FindingRecord,
    GroupRecord,
    LanguageShare,
    LengthsRecord,
    ProbeRecord,
    Severity,
)
from homeground.statistics.power import smallest_detectable
from homeground.wording import count, number, percent

CONFLICTING_SHARE = 0.01
"""Share of the rows with different labels for the same text from which it is a warning."""

NEAR_TEST_SHARE = 0.01
"""Share of the test texts with an almost equal text among those learned from, from which it is a warning."""

LOST_SHARE = 0.05
"""Share of all tokens beyond the limit from which it is a warning."""

MANY_REPEATED = 0.2
"""Share of the examples that repeat an earlier text from which it is a warning."""

BROKEN_SHARE = 0.15
"""Share of the words in three tokens or more from which it is noted."""

SMALL_CLASS = 10
UNEVEN_CLASSES = 20
"""Examples of a class below which it can hardly be learned, and how often the largest may hold the smallest."""

HARDER_BY = 0.03
"""How much accuracy falls on new groups, or later rows, until it is a warning."""

SECOND_LANGUAGE = 0.05
DISAGREEING_SHARE = 0.1
"""Share of the test texts on which two models are taken to differ where none has been trained yet."""

LITTLE_ROOM = 0.97
LITTLE_TO_SEE = 0.02
STILL_RISING = 0.005
ORDER: dict[Severity, int] = {"problem": 0, "warning": 1, "note": 2}
MAX_LISTED = 3


def findings(
    record: AuditRecord, audited: AuditedExamples, *, task: str, entry: CatalogEntry | None
) -> tuple[FindingRecord, ...]:
    """Return what the user should know of a record whose findings are not written yet."""
    tests = sum(split == "test" for split in audited.splits)
    every = [
        *_repeated(record, audited),
        *_leak(record, tests),
        *_conflicts(record),
        *_near_duplicates(record, tests),
        *_languages(record.languages, entry),
        *(each for lengths in record.lengths for each in _lengths(lengths)),
        *_words(record),
        *_classes(record.classes),
        *_probes(record.probes),
        *_groups(record.groups),
        *_suspects(record),
    ]
    return tuple(sorted(every, key=lambda each: ORDER[each.severity]))


def _repeated(record: AuditRecord, audited: AuditedExamples) -> Iterator[FindingRecord]:
    repeated, distinct = record.repeated, len(audited) - record.repeated
    if not repeated:
        return
    if distinct < MIN_UNITS:
        yield FindingRecord(
            kind="duplicates",
            severity="problem",
            sentence=f"only {count(distinct, 'different text')} in {len(audited):,} examples",
            advice=f"at least {MIN_UNITS} different texts are needed for the test alone; collect more",
        )
        return
    share = repeated / len(audited)
    yield FindingRecord(
        kind="duplicates",
        severity="warning" if share > MANY_REPEATED else "note",
        sentence=f"{repeated:,} of {len(audited):,} examples ({percent(share, 1)}) repeat the text of an earlier "
        "one, up "
        "to case, punctuation and word order",
        advice="nothing to do: equal texts always go to the same split and count once" if share <= MANY_REPEATED
        else "equal texts go to the same split and count once; remove the copies to learn from each text once",
    )  # fmt: skip


def _leak(record: AuditRecord, tests: int) -> Iterator[FindingRecord]:
    if leaked := record.test_in_training:
        yield FindingRecord(
            kind="leak",
            severity="problem",
            sentence=f"{leaked:,} of {tests:,} test texts are in the training or validation data too, word for word",
            advice="they are left out of the verdict by homeground adapt; scores that others published count them in",
        )


def _conflicts(record: AuditRecord) -> Iterator[FindingRecord]:
    rows = record.conflicting_rows
    if rows:
        first = record.conflicts[0]
        labels = " and ".join(f'"{label}"' for label in dict.fromkeys(first.labels))
        yield FindingRecord(
            kind="conflicts",
            severity="warning" if rows >= CONFLICTING_SHARE * record.texts else "note",
            sentence=f"{count(rows, 'row has', 'rows have')} a text that occurs with different labels or scores, "
            "such as "
            f'"{_short(first.text)}" with {labels}',
            advice="decide on one for each text; no model can get both right",
        )


def _near_duplicates(record: AuditRecord, tests: int) -> Iterator[FindingRecord]:
    near = record.near_duplicates
    if near is None or not near.texts:
        return
    if near.test_in_training:
        yield FindingRecord(
            kind="near-duplicates",
            severity="warning" if near.test_in_training >= NEAR_TEST_SHARE * tests else "note",
            sentence=f"{near.test_in_training:,} of {tests:,} test texts are almost equal to a text that is learned "
            "from, "
            "with a word or two changed",
            advice="a score on them flatters every model: --group COLUMN keeps texts of one source in one split, or "
            "give "
            "--test other texts",
        )
    if near.other_label:
        yield FindingRecord(
            kind="near-duplicates",
            severity="note",
            sentence=f"{count(near.other_label, 'pair')} of almost equal texts with different labels",
            advice="look at them: either the changed word decides the label, or one label is wrong",
        )
    yield FindingRecord(
        kind="near-duplicates",
        severity="note",
        sentence=f"{count(near.texts, 'text has', 'texts have')} a near-duplicate, {near.almost_equal:,} of them an "
        "almost "
        f"equal one; they form {count(near.clusters, 'cluster')}"
        + (f"; {near.not_compared:,} more pairs look alike and were not compared" if near.not_compared else ""),
    )


def _languages(languages: Sequence[LanguageShare], entry: CatalogEntry | None) -> Iterator[FindingRecord]:
    real = [each for each in languages if each.name != "short"]
    if entry is not None and (other := [each for each in real if not entry.knows(each.name)]):
        share = sum(each.share for each in other)
        if share >= SECOND_LANGUAGE:
            names = ", ".join(f"{each.name} {percent(each.share)}" for each in other[:MAX_LISTED])
            yield FindingRecord(
                kind="language",
                severity="warning" if share > 0.5 else "note",
                sentence=f"{percent(share)} of the texts are of a language that {entry.name} was not pretrained on "
                f"({names}); it was on {', '.join(entry.languages)}",
                advice="homeground checkpoints --language lists others",
            )
    elif len(real) > 1 and real[1].share >= SECOND_LANGUAGE:
        names = ", ".join(f"{each.name} {percent(each.share)}" for each in real[:MAX_LISTED])
        yield FindingRecord(
            kind="language",
            severity="note",
            sentence=f"the texts are of several languages: {names}",
            advice="a multilingual checkpoint reads them all; the scores are means over the languages",
        )


def _lengths(lengths: LengthsRecord) -> Iterator[FindingRecord]:
    if lengths.limit is None or not lengths.beyond_limit:
        return
    share = lengths.beyond_limit / lengths.texts
    yield FindingRecord(
        kind="length",
        severity="warning" if lengths.lost_share >= LOST_SHARE else "note",
        sentence=f"{percent(share, 1)} of the texts are longer than the {lengths.limit} tokens that are read, and lose "
        f"{percent(lengths.lost_share, 1)} of all tokens",
        advice="a larger --max-length reads more where the checkpoint allows it; or --truncation head_and_tail"
        if lengths.lost_share >= LOST_SHARE
        else "",
    )


def _words(record: AuditRecord) -> Iterator[FindingRecord]:
    words = record.words
    if words is None or words.broken_share < BROKEN_SHARE:
        return
    listed = ", ".join(f"{each.word} ({' '.join(each.pieces)})" for each in words.broken[:MAX_LISTED])
    yield FindingRecord(
        kind="vocabulary",
        severity="note",
        sentence=f"the tokenizer breaks {percent(words.broken_share)} of the words into 3 tokens or more"
        + (f", such as {listed}" if listed else ""),
        advice="a checkpoint of the domain or the language may read them whole; homeground adapt --task mlm on plain "
        "text "
        "of the domain teaches their meaning",
    )


def _classes(classes: Sequence[ClassSize]) -> Iterator[FindingRecord]:
    if len(classes) < 2:
        return
    small = [each for each in classes if each.count < SMALL_CLASS]
    if small:
        names = ", ".join(f'"{each.label}" ({each.count})' for each in small[-MAX_LISTED:])
        yield FindingRecord(
            kind="classes",
            severity="note",
            sentence=f"{count(len(small), 'class has', 'classes have')} fewer than {SMALL_CLASS} examples: {names}",
            advice="collect more of them, or join them with a class that is near in meaning",
        )
    largest, smallest = classes[0], classes[-1]
    if largest.count >= UNEVEN_CLASSES * smallest.count:
        yield FindingRecord(
            kind="classes",
            severity="note",
            sentence=f'class "{largest.label}" has {largest.count:,} examples and "{smallest.label}" '
            f"{smallest.count:,}",
            advice="if rare classes matter as much, decide by --primary-metric macro_f1 and train with "
            "--class-weights balanced",
        )


def _probes(probes: Sequence[ProbeRecord]) -> Iterator[FindingRecord]:
    for probe in probes:
        if not probe.shortcut:
            continue
        evidence = f" ({'; '.join(probe.evidence[:MAX_LISTED])})" if probe.evidence else ""
        measured = (
            f"the {probe.name} alone predict the scores with a correlation of {number(probe.score, 2)}"
            if not probe.chance
            else f"{_named(probe.name)} alone predicts the label in {percent(probe.score)} of the cases; the most "
            "frequent "
            f"label is right in {percent(probe.chance)}"
        )
        yield FindingRecord(
            kind="shortcut",
            severity="warning",
            sentence=f"{measured}{evidence}",
            advice="ask whether new texts will have it too: if not, a model that learns it fails on them, and the test "
            "does not show it",
        )


FORMS = {
    "length": "the length of the text",
    "punctuation": "punctuation",
    "first words": "the first two words",
    "single words": "one word a class",
}


def _named(name: str) -> str:
    return FORMS.get(name, name if " alone" not in name else name.removesuffix(" alone")) if (
        name in FORMS or " alone" in name or name.startswith("host in ")
    ) else f'column "{name}"'  # fmt: skip


def _groups(groups: Sequence[GroupRecord]) -> Iterator[FindingRecord]:
    for group in groups:
        if group.random - group.accuracy < HARDER_BY:
            continue
        scores = f"{percent(group.accuracy)} instead of {percent(group.random)}"
        if group.kind == "time":
            sentence = (
                f'on the latest fifth of the rows by "{group.column}" a cheap model is right in {scores} of the cases'
            )
            advice = f'if the model is for texts to come, sort the rows by "{group.column}" and add --split ordered'
        elif group.column == "near-duplicates":
            sentence = f"on texts without a near-duplicate among those learned from, a cheap model is right in {scores}"
            advice = "the test holds edited copies of what is learned from; take them out, or test on other texts"
        else:
            sentence = f'on new values of "{group.column}" a cheap model is right in {scores} of the cases'
            advice = f'if the model is for new ones, add --group "{group.column}", which keeps each in one split'
        yield FindingRecord(kind="split", severity="warning", sentence=sentence, advice=advice)


def _suspects(record: AuditRecord) -> Iterator[FindingRecord]:
    if not record.suspects:
        return
    first = record.suspects[0]
    yield FindingRecord(
        kind="labels",
        severity="note",
        sentence=f'labels to look at first, ranked by how unlikely a cheap model finds them: row {first.row} '
        f'"{_short(first.text)}" is "{first.label}", and the model says "{first.suggested}"',
        advice="the list is in order, not a count of errors: stop where the labels begin to be right",
    )  # fmt: skip


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


def detectable(test_units: int) -> float | None:
    """Return the smallest difference in a share that the test shows in 80% of the cases, before anything is trained.

    The standard error of the difference of two shares on the same ``n`` texts is at most sqrt(d / n), where d is the
    share of the texts on which exactly one of the models is right (McNemar 1947); d is taken to be
    ``DISAGREEING_SHARE``.
    """
    if test_units < MIN_UNITS:
        return None
    return round(smallest_detectable(math.sqrt(DISAGREEING_SHARE / test_units), test_units), 4)


def advice(record: AuditRecord, *, test_units: int) -> tuple[str, ...]:
    """Return what to do with the data: what to fix first, whether adapting may pay, and what the test could show."""
    lines: list[str] = []
    grave = [each for each in record.findings if each.severity != "note"]
    if grave:
        lines.append(f"Fix first: {grave[0].sentence}. {grave[0].advice[:1].upper()}{grave[0].advice[1:]}.")
    lines += _prospects(record.cheap_model)
    if test_units < MIN_UNITS:
        lines.append(
            f"The test would have {count(test_units, 'independent text')}, and at least {MIN_UNITS} are needed for a "
            "verdict: collect more examples."
        )
    elif record.detectable is not None:
        lines.append(
            f"With {test_units:,} independent test texts, a true difference of {number(record.detectable)} in "
            "accuracy is "
            f"found in 80% of the cases, if both models differ on {percent(DISAGREEING_SHARE)} of the texts."
        )
    return tuple(lines)


def _prospects(cheap: CheapModelRecord | None) -> Iterator[str]:
    if cheap is None:
        return
    accuracy = number(cheap.accuracy)
    if cheap.accuracy - cheap.majority < LITTLE_TO_SEE:
        yield (
            "The words of the texts say hardly anything of the labels: a linear model on words is right in "
            f"{accuracy} of "
            f"the cases, the most frequent label in {number(cheap.majority)}. Look at the labels before you train."
        )
        return
    if cheap.accuracy >= LITTLE_ROOM:
        yield (
            f"A linear model on words is right in {accuracy} of the cases already, so adapting can hardly gain more "
            "than "
            f"{number(1 - cheap.accuracy)}; it may be all you need."
        )
    else:
        yield (
            f"A linear model on words is right in {accuracy} of the cases; adapting pays where it does better than "
            "that."
        )
    if cheap.gain_of_twice >= STILL_RISING:
        yield (
            f"Twice as many examples bring a simple model {number(cheap.gain_of_twice)} more accuracy, so more "
            "labelled "
            "texts would still help."
        )
