"""From what was counted to what the user should know: findings with their advice, the gravest first, in plain words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
from homeground.wording import count, number, percent, shorten

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
LITTLE_TO_SEE = 0.05
"""Share of the errors of the most frequent label that a model avoids, below which the words say nothing."""

UNEVEN_MAJORITY = 0.9
LEAST_SHARE_SHOWN = 0.001
STILL_RISING = 0.005
ORDER: dict[Severity, int] = {"problem": 0, "warning": 1, "note": 2}
MAX_LISTED = 3
MAX_CHARACTERS_QUOTED = 60


@dataclass(frozen=True)
class FindingContext:
    """What findings depend on beside what was counted.

    ``tests`` counts the test texts, ``test_units`` the independent ones that a verdict would rest on, None where the
    examples cannot be split. ``split`` is how they were split, ``group`` the column by which they were, ``own_files``
    the splits from files of their own. ``keeps_ends`` says that --truncation can keep the end of a text as well,
    ``samples`` what was looked at in part only. ``entry`` is the checkpoint, where it is a known one.
    """

    tests: int
    test_units: int | None
    keeps_ends: bool = False
    split: str = "random"
    group: str | None = None
    own_files: frozenset[str] = frozenset()
    samples: tuple[str, ...] = ()
    entry: CatalogEntry | None = None


def findings(record: AuditRecord, context: FindingContext) -> tuple[FindingRecord, ...]:
    """Return what the user should know of a record whose findings are not written yet, the gravest first."""
    every = [
        *_leak(record, context),
        *_repeated(record, context),
        *_probes(record.probes),
        *_conflicts(record),
        *_near_duplicates(record, context),
        *_languages(record.languages, context.entry),
        *(each for lengths in record.lengths for each in _lengths(lengths, context)),
        *_words(record),
        *_classes(record.classes),
        *_groups(record.groups, context),
        *_suspects(record),
        *_not_checked(record),
        *(FindingRecord(kind="sample", severity="note", sentence=each) for each in context.samples),
    ]
    return tuple(sorted(every, key=lambda each: ORDER[each.severity]))


def _repeated(record: AuditRecord, context: FindingContext) -> Iterator[FindingRecord]:
    repeated, distinct = record.repeated, record.texts - record.repeated
    if not repeated:
        return
    if distinct < MIN_UNITS:
        yield FindingRecord(
            kind="duplicates",
            severity="problem",
            sentence=f"only {count(distinct, 'different text')} in {record.texts:,} examples",
            advice=f"at least {MIN_UNITS} different texts are needed for the test alone; collect more",
        )
        return
    share = repeated / record.texts
    many = share > MANY_REPEATED
    together = context.split in ("random", "cross-fitted") and not context.own_files
    kept = "equal texts go to the same split and count once" if together else ""
    remove = "remove the copies to learn from each text once"
    yield FindingRecord(
        kind="duplicates",
        severity="warning" if many else "note",
        sentence=f"{repeated:,} of {record.texts:,} examples ({_share(share)}) repeat the text of an earlier one, up "
        "to case and punctuation",
        advice="; ".join(part for part in (kept, remove if many else "") if part),
    )


def _leak(record: AuditRecord, context: FindingContext) -> Iterator[FindingRecord]:
    if leaked := record.test_in_training:
        yield FindingRecord(
            kind="leak",
            severity="problem",
            sentence=f"{leaked:,} of {context.tests:,} test texts are in the training or validation data too, "
            "word for word",
            advice="they are left out of the verdict by homeground adapt, and scores that others published count them "
            "in; other test texts would make up for them",
        )


def _conflicts(record: AuditRecord) -> Iterator[FindingRecord]:
    rows = record.conflicting_rows
    if rows:
        first = record.conflicts[0]
        labels = " and ".join(f'"{label}"' for label in [*dict.fromkeys(first.labels)][:MAX_LISTED])
        yield FindingRecord(
            kind="conflicts",
            severity="warning" if rows >= CONFLICTING_SHARE * record.texts else "note",
            sentence=f"{count(rows, 'row has', 'rows have')} a text that occurs with different labels or scores, "
            "such as "
            f'"{shorten(first.text, MAX_CHARACTERS_QUOTED)}" with {labels}',
            advice="decide on one for each text; no model can get both right",
        )


def _near_duplicates(record: AuditRecord, context: FindingContext) -> Iterator[FindingRecord]:
    near = record.near_duplicates
    if near is None or not near.texts:
        return
    if near.test_in_training:
        yield FindingRecord(
            kind="near-duplicates",
            severity="warning" if near.test_in_training >= NEAR_TEST_SHARE * context.tests else "note",
            sentence=f"{near.test_in_training:,} of {context.tests:,} test texts are almost equal to a text "
            "that is learned from (similarity 0.7 or more)",
            advice="a score on them flatters every model: --group COLUMN keeps texts of one source in one split, or "
            "give --test other texts",
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
        f"almost equal one; they form {count(near.clusters, 'cluster')}"
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


def _lengths(lengths: LengthsRecord, context: FindingContext) -> Iterator[FindingRecord]:
    if lengths.limit is None or not lengths.beyond_limit:
        return
    share = lengths.beyond_limit / lengths.texts
    many = lengths.lost_share >= LOST_SHARE
    advice = "a larger --max-length reads more where the checkpoint allows it"
    if context.keeps_ends:
        advice += "; or --truncation head_and_tail keeps the end as well"
    yield FindingRecord(
        kind="length",
        severity="warning" if many else "note",
        sentence=f"{_share(share)} of the texts are longer than the {lengths.limit} tokens that are read, and "
        f"{_share(lengths.lost_share)} of all tokens are beyond it",
        advice=advice if many else "",
    )


def _words(record: AuditRecord) -> Iterator[FindingRecord]:
    words = record.words
    if words is None or words.broken_share < BROKEN_SHARE:
        return
    examples = ", ".join(f'"{each.word}" ({" ".join(each.pieces)})' for each in words.broken[:MAX_LISTED])
    listed = f", such as {examples}" if examples else ""
    yield FindingRecord(
        kind="vocabulary",
        severity="note",
        sentence=f"the tokenizer breaks {percent(words.broken_share)} of the words into 3 tokens or more{listed}",
        advice="a checkpoint of the domain or the language may read them whole; homeground adapt --task mlm on plain "
        "text of the domain teaches their meaning",
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
    # Another column first: it may be the label itself.
    for probe in sorted(probes, key=lambda probe: (not probe.column, -probe.share)):
        if not probe.shortcut:
            continue
        evidence = f" ({'; '.join(probe.evidence[:MAX_LISTED])})" if probe.evidence else ""
        if probe.chance:
            measured = (
                f"{_named(probe)} alone predicts the label in {percent(probe.score)} of the cases; the most frequent "
                f"label is right in {percent(probe.chance)}"
            )
        else:
            subject = f"{probe.name} predict" if probe.name == "lengths" else f"{probe.name} predicts"
            measured = f"{subject} the scores with a correlation of {number(probe.score, 2)}"
        unseen = "the model does not read it; but the texts may follow from it" if probe.column else ""
        judge = (
            "ask whether new texts will have it too: if not, a model that learns it fails on them, unseen by the test"
        )
        yield FindingRecord(
            kind="shortcut",
            severity="warning",
            sentence=f"{measured}{evidence}",
            advice="; ".join(part for part in (unseen, judge) if part),
        )


FORMS = {
    "length": "the length of the text",
    "punctuation": "punctuation",
    "first words": "the first two words",
    "single words": "one word a class",
}


def _named(probe: ProbeRecord) -> str:
    if probe.column:
        return probe.name if probe.name.startswith("host in ") else f'column "{probe.name}"'
    return FORMS.get(probe.name, probe.name.removesuffix(" alone"))


def _groups(groups: Sequence[GroupRecord], context: FindingContext) -> Iterator[FindingRecord]:
    for group in groups:
        if group.random - group.accuracy < HARDER_BY or not group.clear:
            continue
        scores = f"{percent(group.accuracy)} instead of {percent(group.random)} of the cases"
        severity: Severity = "warning"
        if group.kind == "time":
            sentence = f'on the latest fifth of the rows by "{group.column}" a simple model is right in {scores}'
            advice = f'if the model is for texts to come, sort the rows by "{group.column}" and add --split ordered'
            if context.split == "ordered" or "test" in context.own_files:
                severity, advice = "note", ""
        elif group.column == "near-duplicates":
            sentence = (
                f"on texts without an almost equal one among those learned from, a simple model is right in {scores}"
            )
            advice = (
                "almost equal texts on both sides of a split flatter a score; take them out, or test on other texts"
            )
            if "test" in context.own_files:
                severity, advice = "note", ""
        else:
            sentence = f'on new values of "{group.column}" a simple model is right in {scores}'
            advice = f'if the model is for new ones, add --group "{group.column}", which keeps each in one split'
            if context.group is not None or "test" in context.own_files:
                severity, advice = "note", ""
        yield FindingRecord(kind="split", severity=severity, sentence=sentence, advice=advice)


def _not_checked(record: AuditRecord) -> Iterator[FindingRecord]:
    if record.not_checked:
        yield FindingRecord(
            kind="labels",
            severity="note",
            sentence=f"doubtful labels and shortcuts were not looked for: {record.not_checked}",
        )


def _suspects(record: AuditRecord) -> Iterator[FindingRecord]:
    if not record.suspects:
        return
    first = record.suspects[0]
    where = f"row {first.row}" if first.split == "data" else f"{first.split} row {first.row}"
    yield FindingRecord(
        kind="labels",
        severity="note",
        sentence=f'labels to look at first, ranked by how unlikely a simple model finds them: {where} '
        f'"{shorten(first.text, MAX_CHARACTERS_QUOTED)}" is "{first.label}", and the model says "{first.suggested}"',
        advice="the list is in order, not a count of errors: stop where the labels begin to be right",
    )  # fmt: skip


def detectable(test_units: int | None) -> float | None:
    """Return the smallest difference in a share that the test shows in 80% of the cases, before anything is trained.

    The standard error of the difference of two shares on the same ``n`` texts is at most sqrt(d / n), where d is the
    share of the texts on which exactly one of the models is right (McNemar 1947); d is taken to be
    ``DISAGREEING_SHARE``.
    """
    if test_units is None or test_units < MIN_UNITS:
        return None
    return round(smallest_detectable(math.sqrt(DISAGREEING_SHARE / test_units), test_units), 4)


def advice(record: AuditRecord, context: FindingContext) -> tuple[str, ...]:
    """Return what to do with the data: what to fix first, whether adapting may pay, and what the test could show."""
    lines: list[str] = []
    grave = [each for each in record.findings if each.severity != "note"]
    if grave:
        lines.append(f"Look at this first: {grave[0].sentence}.")
    lines += _prospects(record.cheap_model)
    units = context.test_units
    if units is not None and units < MIN_UNITS:
        left = count(units, "independent text") if context.group is None else count(units, "independent group")
        lines.append(
            f"The test would have {left} that nothing learned from, and at least {MIN_UNITS} "
            "are needed for a verdict: collect more examples."
        )
    elif units is not None and record.detectable is not None:
        tested = "texts" if context.group is None else "groups"
        lines.append(
            f"With {units:,} independent test {tested}, a true difference of {number(record.detectable)} in accuracy "
            f"is found in 80% of the cases, if both models differ on {percent(DISAGREEING_SHARE)} of the texts."
        )
    return tuple(lines)


def _prospects(cheap: CheapModelRecord | None) -> Iterator[str]:
    if cheap is None:
        return
    accuracy = number(cheap.accuracy)
    share = (cheap.accuracy - cheap.majority) / max(1 - cheap.majority, 1e-9)
    model = f"{'A linear model' if cheap.method == 'logistic regression' else 'Naive Bayes'} on words"
    right = f"{model} is right in {accuracy} of the cases (cross-validated on {cheap.examples:,} examples)"
    if share < LITTLE_TO_SEE and cheap.majority >= UNEVEN_MAJORITY:
        yield (
            f"The most frequent label alone is right in {number(cheap.majority)} of the cases, so accuracy says little "
            "here: decide by --primary-metric macro_f1."
        )
        return
    if share < LITTLE_TO_SEE:
        yield (
            f"The words of the texts say hardly anything of the labels: {right[0].lower()}{right[1:]}, the most "
            f"frequent label in {number(cheap.majority)}. Look at the labels before you train."
        )
        return
    if cheap.accuracy >= LITTLE_ROOM:
        yield (
            f"{right}, the most frequent label in {number(cheap.majority)}. Adapting can hardly gain more than "
            f"{number(1 - cheap.accuracy)} in accuracy; this model may be all you need."
        )
        return
    yield f"{right}; adapting pays where it does better than that."
    if cheap.gain_of_twice >= STILL_RISING and cheap.gain_is_clear:
        yield (
            f"Twice as many examples bring a simple model {number(cheap.gain_of_twice)} more accuracy, so more "
            "labelled texts would still help."
        )


def _share(share: float) -> str:
    """Return a share in per cent, and never 0.0% of something that is there."""
    return "less than 0.1%" if 0 < share < LEAST_SHARE_SHOWN else percent(share, 1)
