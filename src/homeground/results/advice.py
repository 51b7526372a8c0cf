"""What to do after a verdict, in one or two plain sentences that follow from scores.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeground.statistics.glossary import metric
from homeground.wording import UNIT_NOUNS, count

if TYPE_CHECKING:
    from homeground.results.scores import Scores


def advice(scores: Scores) -> str:
    """Return what to do with the adapted model, and what to use where it is not the one."""
    if scores.verdict == "TOO FEW":
        return _collect_more(scores)
    simple = _simple_method(scores)
    if scores.verdict == "HURT":
        better = simple if simple and _leads(scores) else _keep(scores, "adapting made it worse")
        return f"{better} A lower learning rate or fewer epochs may help."
    if scores.verdict == "NO EVIDENCE":
        if scores.difference.low is not None and scores.difference.low > 0:
            return f"Test again on new {_items(scores)}; until then, keep the original checkpoint."
        if simple and _leads(scores):
            return simple
        return _keep(scores, "there is no evidence that adapting improved it")
    return simple or _use(scores)


def _collect_more(scores: Scores) -> str:
    items = _items(scores)
    needed = f"The test needs at least {count(scores.units_needed)} independent ones." if scores.units_needed else ""
    if scores.left_out:
        return f"Do not decide on this test: give --test {items} that no model has learned from. {needed}".rstrip()
    if scores.units_needed and (noun := UNIT_NOUNS.get(scores.unit)) and scores.test_units < scores.test_examples:
        missing = count(max(scores.units_needed - scores.test_units, 1), f"more independent {noun}")
        return f"Do not decide on this test: collect {items} from at least {missing}."
    share = "" if scores.cross_fit else ", or put a larger share of them into the test (--test 0.3)"
    return f"Do not decide on this test: collect more {items}{share}. {needed}".rstrip()


def _simple_method(scores: Scores) -> str:
    """Return what to do instead of adapting, where the adapted model is not shown to beat a cheap baseline."""
    baseline = scores.baseline_difference
    if baseline is None or not baseline.instead or scores.baseline_standing in (None, "BEATS"):
        return ""
    shown = "it is better than" if scores.baseline_standing == "BELOW" else "it is not shown to be worse than"
    return f"{baseline.instead}: {shown} the adapted model and costs less."


def _leads(scores: Scores) -> bool:
    """Return whether the best baseline scores at least as well as the model before."""
    words, baseline = metric(scores.primary_metric), scores.baseline_difference
    score = scores.baselines.get(baseline.name, {}).get(words.name) if baseline else None
    other = scores.before.get(words.name)
    if score is None or other is None:
        return False
    return score >= other if words.greater_is_better else score <= other


def _keep(scores: Scores, why: str) -> str:
    head = ", with the head that was fitted to it" if scores.head else ""
    return f"Keep the original checkpoint{head}: {why}."


def _use(scores: Scores) -> str:
    general = scores.general.verdict if scores.general else ""
    if general == "FORGOT":
        other = "" if scores.merging else ", or adapt again with --keep-general FILE"
        return f"Use the adapted model for texts of this domain only{other}; keep the checkpoint for everything else."
    if scores.use:
        return scores.use
    if general == "KEPT":
        return "Use the adapted model: it is better in this domain and as good as before outside it, within the margin."
    known = "is not decided" if general else "was not measured"
    return f"Use the adapted model for texts of this domain; what it does outside it {known}."


def _items(scores: Scores) -> str:
    """Return what the examples are, in the plural and without saying that they are of the test."""
    return f"{scores.example.removeprefix('test ')}s"
