"""What files of a run hold of a classifier's confidence: its temperature, when it abstains, how reliable it is."""

from __future__ import annotations

from homeground.results.parts import Record, field


class CalibrationPair(Record):
    """A metric on the test without and with the temperature."""

    uncalibrated: float | None = field("without the temperature", None)
    calibrated: float | None = field("with it", None)


class AnsweredCounts(Record):
    """How many examples were answered, and how many of them rightly."""

    answered: int = field("number of examples that were answered", 0)
    right: int = field("number of these answers that are right", 0)


class ShareRecord(Record):
    """A share with its exact 95% interval (Clopper and Pearson) over units; null ends over fewer than 30 units."""

    value: float | None = field("the share", None)
    low: float | None = field("low end", None)
    high: float | None = field("high end", None)


class AbstainTest(AnsweredCounts):
    """What abstaining did on the test."""

    coverage: ShareRecord = field("share of examples answered, exact 95% interval (Clopper, Pearson)", ShareRecord())
    precision: ShareRecord = field("share of answers that are right, with such an interval", ShareRecord())


class AbstainRecord(Record):
    """From which confidence the model answers (``--target-precision``)."""

    target_precision: float = field("share of the answers that should be right")
    threshold: float | None = field(
        "the lowest confidence at which the model answers; null where no threshold is shown to reach the target", None
    )
    validation: AnsweredCounts | None = field("counts on validation at that threshold; null without a threshold", None)
    needed: int | None = field(
        "rough number of validation examples that would give one; null where there is one, or none would help", None
    )
    test: AbstainTest | None = field(
        "counts on the test, cross-fitted by each fold's threshold; null where nothing could be answered", None
    )


class TemperatureRecord(Record):
    """A temperature that was fitted on validation, and what it changed on the test."""

    temperature: float = field("what the logits are divided by; 1 where none was fitted", 1.0)
    remark: str | None = field("why none was fitted, or that the best is outside the range; else null", None)
    validation_examples: int = field("number of examples that it was fitted on", 0)
    log_loss: CalibrationPair = field(
        "log loss on the test, in a cross-fitted run at each fold's temperature", CalibrationPair()
    )
    ece: CalibrationPair = field("expected calibration error on the test", CalibrationPair())


class CalibrationRecord(TemperatureRecord):
    """The temperature of the adapted model and of the model before, and when the adapted model abstains.

    Both are fitted on the same validation examples. The weights of the adapted model hold its temperature; the scores
    before are those with the temperature of the model before.
    """

    before: TemperatureRecord | None = field("the same for the model before; null without one", None)
    abstain: AbstainRecord | None = field("when the model abstains; null without `--target-precision`", None)


class ReliabilityBin(Record):
    """Examples of similar confidence."""

    confidence: float | None = field("mean confidence", None)
    accuracy: float | None = field("share of the predictions that are right", None)
    count: int = field("number of examples", 0)


class ReliabilityRecord(Record):
    """Confidence against accuracy, before and after."""

    before: tuple[ReliabilityBin, ...] = field("the checkpoint with the head that was fitted on it", ())
    after: tuple[ReliabilityBin, ...] = field("the adapted model", ())
