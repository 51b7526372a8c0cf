"""What the texts are like: their lengths, scripts and languages, and how the tokenizer reads their words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
import regex
from numpy.typing import NDArray
from tokenizers import Tokenizer

from homeground.audit.audited import AuditedExamples
from homeground.checkpoint import unknown_ids, without_cleaning
from homeground.data.cleaning import Cleaner
from homeground.data.segmentation import word_spans, word_starts
from homeground.data.tokens.tokenized import portions
from homeground.results.audit import BrokenWord, LanguageShare, LengthsRecord, WordPieces

TEXTS_TOKENIZED = 10_000
"""Texts from which lengths in tokens and the pieces of words are counted."""

CHARACTERS_AT_ONCE = 2_000_000

TEXTS_IDENTIFIED = 2_000
"""Texts whose language is identified."""

CHARACTERS_IDENTIFIED = 500
"""Characters of a text by which its language is identified; more add time and no certainty."""

FEWEST_LETTERS = 20
"""Letters below which the language of a text in Latin script is a guess."""

LEAST_SHARE = 0.01
"""Languages and scripts below this share are not listed."""

HISTOGRAM_BARS = 30
PIECES_OF_BROKEN = 3
MAX_WORDS_LISTED = 30
FEWEST_OCCURRENCES = 3

SCRIPT_NAMES = (
    "Latin", "Han", "Hiragana", "Katakana", "Hangul", "Cyrillic", "Greek", "Arabic", "Hebrew", "Devanagari", "Bengali",
    "Tamil", "Thai", "Lao", "Khmer", "Myanmar", "Georgian", "Armenian", "Ethiopic",
)  # fmt: skip
_SCRIPTS = {name: regex.compile(rf"\p{{{name}}}") for name in SCRIPT_NAMES}
_LETTER = regex.compile(r"\p{L}")

VARIETIES = {
    "zxx": "short",  # no language, such as a URL
    "arz": "ar", "ary": "ar", "nb": "no", "nn": "no", "vec": "it", "pcm": "en",
}  # fmt: skip
"""What py3langid tells apart and checkpoints do not."""

LANGUAGE_OF_SCRIPT = {"Hangul": "ko", "Thai": "th", "Hebrew": "he", "Greek": "el", "Georgian": "ka", "Armenian": "hy"}
"""Scripts that practically one language writes; for others the letters or a model decide."""


def character_lengths(texts: Iterable[str]) -> LengthsRecord:
    """Return how long the texts are in characters."""
    return _lengths("characters", np.fromiter(map(len, texts), np.int64), None)


def _lengths(unit: str, lengths: NDArray[np.int64], limit: int | None) -> LengthsRecord:
    longest = int(lengths.max(initial=0))
    # The last bar holds all that is longer than nearly all texts, so that one long text does not flatten the rest.
    end = float(np.percentile(lengths, 99)) if len(lengths) else 0.0
    edges = np.linspace(0, max(end, 1.0), HISTOGRAM_BARS + 1)
    counts = np.histogram(np.minimum(lengths, edges[-1]), edges)[0]
    beyond = np.zeros(0, np.int64) if limit is None else np.maximum(lengths - limit, 0)
    return LengthsRecord.model_validate(
        {
            "unit": unit,
            "texts": len(lengths),
            "median": float(np.median(lengths)) if len(lengths) else 0.0,
            "p95": float(np.percentile(lengths, 95)) if len(lengths) else 0.0,
            "longest": longest,
            "bins": edges.round(1).tolist(),
            "counts": counts.tolist(),
            "limit": limit,
            "beyond_limit": int((beyond > 0).sum()),
            "lost_share": round(float(beyond.sum() / max(lengths.sum(), 1)), 4),
        }
    )


def scripts(texts: Sequence[str]) -> tuple[LanguageShare, ...]:
    """Return the scripts of all letters of all texts, counted exactly, the most frequent first."""
    counts: Counter[str] = Counter()
    for some in portions(texts, CHARACTERS_AT_ONCE, len):
        codes = np.frombuffer("".join(some).encode("utf-32-le", "surrogatepass"), np.uint32)
        for code, count in zip(*np.unique(codes, return_counts=True), strict=True):
            character = chr(int(code))
            if _LETTER.match(character):
                counts[_script(character)] += int(count)
    return _shares(counts)


@cache
def _script(character: str) -> str:
    return next((name for name, pattern in _SCRIPTS.items() if pattern.match(character)), "other")


def _shares(counts: Counter[str]) -> tuple[LanguageShare, ...]:
    total = max(counts.total(), 1)
    shares = ((name, count / total) for name, count in counts.most_common())
    return tuple(LanguageShare(name=name, share=round(share, 4)) for name, share in shares if share >= LEAST_SHARE)


def languages(texts: Sequence[str]) -> tuple[LanguageShare, ...]:
    """Return the languages of texts by their share, the most frequent first, as ISO 639-1 codes.

    Chinese, Japanese, Korean and others follow from their letters; what shares a script with others is identified by
    py3langid. Texts of fewer than ``FEWEST_LETTERS`` letters of such scripts are "short".
    """
    without_urls = Cleaner(("remove_urls",))
    return _shares(Counter(language(without_urls.clean(text[:CHARACTERS_IDENTIFIED])) for text in texts))


def language(text: str) -> str:
    """Return the language of a text as an ISO 639-1 code, "short" where it is too short to tell.

    >>> language("味道不错，送餐很快"), language("おいしい"), language("OK")
    ('zh', 'ja', 'short')
    """
    counts = Counter(_script(letter) for letter in _LETTER.findall(text))
    if not counts:
        return "short"
    kana = counts["Hiragana"] + counts["Katakana"]
    # A letter of Chinese or Korean says as much as two or three of Latin script.
    east_asian = kana + counts["Han"]
    if 3 * max(east_asian, counts["Hangul"]) > counts.total():
        if counts["Hangul"] > east_asian:
            return "ko"
        return "ja" if 10 * kana >= east_asian else "zh"
    script, letters = counts.most_common(1)[0]
    if script in LANGUAGE_OF_SCRIPT:
        return LANGUAGE_OF_SCRIPT[script]
    if letters < FEWEST_LETTERS:
        return "short"
    import py3langid

    code = str(py3langid.classify(text)[0])
    return VARIETIES.get(code, code)


def token_lengths(texts: Sequence[str], tokenizer: Tokenizer, limit: int) -> tuple[LengthsRecord, WordPieces]:
    """Return how long texts are in tokens, special ones included, and how their words are broken into tokens.

    Texts are not cut for it, and the tokenizer is left as it was.
    """
    tokenizer, texts = without_cleaning(tokenizer, texts)
    truncation = tokenizer.truncation
    tokenizer.no_truncation()
    unknown = frozenset(unknown_ids(tokenizer).tolist())
    lengths: list[int] = []
    pieces: dict[str, tuple[str, ...]] = {}
    counts: Counter[str] = Counter()
    lost: set[str] = set()
    try:
        for some in portions(texts, CHARACTERS_AT_ONCE, len):
            for text, encoding in zip(some, tokenizer.encode_batch(some), strict=True):
                lengths.append(len(encoding.ids))
                for word, tokens, is_lost in _words(text, encoding.ids, encoding.tokens, encoding.offsets, unknown):
                    counts[word] += 1
                    pieces.setdefault(word, tokens)
                    if is_lost:
                        lost.add(word)
    finally:
        if truncation:
            tokenizer.enable_truncation(int(truncation["max_length"]))
    return _lengths("tokens", np.array(lengths, np.int64), limit), _broken_words(len(texts), counts, pieces, lost)


def _words(
    text: str, ids: Sequence[int], tokens: Sequence[str], offsets: Sequence[tuple[int, int]], unknown: frozenset[int]
) -> list[tuple[str, tuple[str, ...], bool]]:
    """Return every word of a text with its tokens, and whether one of them stands for what the vocabulary lacks."""
    inside = [place for place, (start, end) in enumerate(offsets) if end > start]
    if not inside:
        return []
    own = [offsets[place] for place in inside]
    spans = word_spans(text)
    begins = np.flatnonzero(word_starts(spans, own)).tolist()
    words: list[tuple[str, tuple[str, ...], bool]] = []
    for start, end in zip(begins, [*begins[1:], len(own)], strict=True):
        word = text[own[start][0] : own[end - 1][1]].strip()
        if any(map(str.isalpha, word)):
            places = inside[start:end]
            words.append(
                (word, tuple(tokens[place] for place in places), any(ids[place] in unknown for place in places))
            )
    return words


def _broken_words(texts: int, counts: Counter[str], pieces: dict[str, tuple[str, ...]], lost: set[str]) -> WordPieces:
    words = max(counts.total(), 1)
    total = sum(count * len(pieces[word]) for word, count in counts.items())
    broken = {word: count for word, count in counts.items() if len(pieces[word]) >= PIECES_OF_BROKEN}
    saved = sorted(broken, key=lambda word: (-broken[word] * (len(pieces[word]) - 1), word))
    listed = [word for word in saved if broken[word] >= FEWEST_OCCURRENCES][:MAX_WORDS_LISTED]
    return WordPieces(
        texts=texts,
        words=counts.total(),
        pieces_per_word=round(total / words, 3),
        broken_share=round(sum(broken.values()) / words, 4),
        unknown_share=round(sum(counts[word] for word in lost) / words, 4),
        broken=tuple(BrokenWord(word=word, pieces=pieces[word], count=counts[word]) for word in listed),
    )


def sampled_texts(audited: AuditedExamples, count: int, *, purpose: str) -> list[str]:
    """Return the texts of a sample of the examples."""
    return [audited.texts[int(place)] for place in audited.sample(count, purpose=purpose)]
