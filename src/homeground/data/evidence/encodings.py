"""Which encoding bytes are probably in: that whose text is plausible, shown as it would read; and text decoded twice.

Most encodings of one byte a character accept any bytes, so that they can be decoded proves nothing. What does is that
the characters are those a language uses most, in words of one script. A guess is only made on such evidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from homeground.wording import printable

LEAST_SCORE = 0.6
"""Score, from 0 to 1, from which a reading is plausible."""

CLOSE_SCORE = 0.85
"""Share of the best score from which another reading is named beside it."""

SAMPLE_CHARACTERS = 24
"""Characters that are shown on either side of a place."""

SAMPLE_BYTES = 1 << 16
"""Bytes that are scored at most."""

LEAST_SHARE_MENDED = 0.8
"""Share of the words with foreign characters that must be mojibake for the text to be."""

WORDS_READ = 5000
"""Words with foreign characters that are looked at for mojibake."""

PUNCTUATION = "„“”‘’‚–—…€£°§•·©®«»ºª"
WESTERN = ("äöüßÄÖÜ", "åäöæøéüÅÄÖÆØ", "éèêëàâçîïôùûœÉÈÀÇÊ", "áéíóúñüçãõâêôà¿¡ÁÉÍÓÚÑÃ", "àèéìòùÈ", "ðþýáéíóúæöÐÞÁÍÓÚÉÆÖ")
CENTRAL = (
    *("ąćęłńóśźżĄĆĘŁŃÓŚŹŻ", "áčďéěíňóřšťúůýžäľĺŕôÁČĎÉĚÍŇÓŘŠŤÚŮÝŽ", "áéíóöőúüűÁÉÍÓÖŐÚÜŰ", "ăâîşţĂÂÎŞŢ"),
    "čćđšžČĆĐŠŽ",
)
BALTIC = ("ąčęėįšųūžĄČĘĖĮŠŲŪŽ", "āčēģīķļņšūžĀČĒĢĪĶĻŅŠŪŽ", "äõöüšžÄÕÖÜ")
TURKISH = "ğışİŞĞçöüÇÖÜâ"
CYRILLIC = "оеаинтсрвлкмі"
GREEK = "αοιτεσνηυρπκ"
HEBREW = "יוהלאתמרבשנפ"
ARABIC = "اليمنرتوبةعد"
THAI = "านรอกเงมยลวด่้ี"
KANA = "".join(map(chr, [*range(0x3041, 0x3094), *range(0x30A1, 0x30F5), 0x30FC])) + "、。"
HANGUL = "이다는을의에가고하지은를도기로어한사리나자아시일대서해만수인그있보정들것으게요네장니안부여면주라제전성음상과"
SIMPLIFIED = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成"
    "方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使"
    "情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老"
    "给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目"
    "太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王"
    "象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运喜吃味店价服送差贵便宜质量货"
)
TRADITIONAL = (
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所然家種事成方"
    "多經麼去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實日軍者意無力它與長把機十民第公此已工使情"
    "明性知全三又關點正業外將兩高間由問很最重並物手應戰向頭文體政美相見被利什二等產或新己制身果加西斯月話合回特代內信表化老給"
)


@dataclass(frozen=True)
class Reading:
    """An encoding, the characters that a language in it uses most, and the share of its foreign ones that they are."""

    encoding: str
    common: str
    share: float
    latin: bool = False


def _latin(encodings: Iterable[str], languages: Sequence[str], share: float = 0.85) -> Iterator[Reading]:
    """Yield the readings of languages in Latin script; a mixture of them is possible, and less plausible than one."""
    for encoding in encodings:
        for letters in languages:
            yield Reading(encoding, letters + PUNCTUATION, share, latin=True)
        yield Reading(encoding, "".join(languages) + PUNCTUATION, share * 1.4, latin=True)


READINGS = (
    *_latin(["cp1252"], WESTERN),
    *_latin(["cp1250", "iso8859-2"], CENTRAL),
    *_latin(["cp1254"], [TURKISH]),
    *_latin(["cp1257"], BALTIC),
    *(Reading(encoding, CYRILLIC, 0.65) for encoding in ("cp1251", "koi8-r", "cp866", "iso8859-5")),
    Reading("cp1253", GREEK, 0.7),
    Reading("cp1255", HEBREW, 0.7),
    Reading("cp1256", ARABIC, 0.65),
    Reading("cp874", THAI, 0.5),
    Reading("gb18030", SIMPLIFIED + "，。！？、", 0.55),
    Reading("big5", TRADITIONAL + "，。！？、", 0.5),
    Reading("cp932", KANA, 0.5),
    Reading("euc-jp", KANA, 0.5),
    Reading("cp949", HANGUL, 0.5),
    # Of old Macs and DOS, and so less likely.
    *_latin(["mac-roman", "cp850"], WESTERN, share=1.2),
)
"""The usual encodings other than Unicode; of two that read the same, the first is named."""


def likely_encodings(data: bytes, place: int) -> list[tuple[str, str]]:
    """Return the encodings, at most two, in which whole lines of bytes read plausibly, with how one place reads.

    ``place`` is a byte of ``data`` that is not ASCII.
    """
    start = max(data.rfind(b"\n", 0, max(place - SAMPLE_BYTES // 2, 0)) + 1, 0)
    end = data.find(b"\n", min(place + SAMPLE_BYTES // 2, len(data)))
    sample = data[start : len(data) if end < 0 else end]
    scored: dict[str, tuple[float, str]] = {}
    for reading in READINGS:
        if (text := _decoded(sample, reading.encoding)) is not None:
            earlier, name = scored.get(text, (0.0, reading.encoding))
            scored[text] = (max(earlier, _score(text, reading)), name)
    best = sorted(scored.values(), key=lambda each: -each[0])[:2]
    kept = [name for score, name in best if score >= LEAST_SCORE and score >= CLOSE_SCORE * best[0][0]]
    if "cp1252" in kept and not re.search(rb"[\x80-\x9f]", sample):
        kept[kept.index("cp1252")] = "latin-1"
    return [(name, read_as(data, place, name)) for name in kept]


def read_as(data: bytes, place: int, encoding: str) -> str:
    """Return what is around one byte of ``data`` in an encoding, quoted, cut and harmless to a terminal."""
    before = data[:place].decode(encoding, "replace")
    after = data[place : place + 8 * SAMPLE_CHARACTERS].decode(encoding, "replace")
    before, after = re.split(r"[\r\n]", before)[-1], re.split(r"[\r\n]", after)[0]
    cut = ("…" if len(before) > SAMPLE_CHARACTERS else "", "…" if len(after) > SAMPLE_CHARACTERS else "")
    return f'"{printable(cut[0] + before[-SAMPLE_CHARACTERS:] + after[:SAMPLE_CHARACTERS] + cut[1])}"'


def mojibake(text: str) -> tuple[str, str, int] | None:
    """Return a word of a text that was UTF-8 and read as cp1252, the word as it was meant, and how many there are.

    None where the text is as it should be.

    >>> mojibake("SchÃ¶n, aber zu teuer"), mojibake("Schön, aber zu teuer")
    (('SchÃ¶n', 'Schön', 1), None)
    """
    if text.isascii():
        return None
    words = [(found, _mended(found[0])) for found in islice(_FOREIGN_PART.finditer(text), WORDS_READ)]
    mended = [(found, better) for found, better in words if better is not None]
    if not mended or len(mended) < LEAST_SHARE_MENDED * len(words):
        return None
    found, better = mended[0]
    before = re.search(r"[A-Za-z]*\Z", text[max(found.start() - SAMPLE_CHARACTERS, 0) : found.start()])
    beginning = before[0] if before else ""
    return beginning + found[0], beginning + better, len(mended)


_FOREIGN_PART = re.compile(r"[^\x00-\x7f][^\s,;\"]{0,40}")


def _mended(word: str) -> str | None:
    try:
        return b"".join(_one_byte(mark) for mark in word).decode("utf-8")
    except UnicodeError:
        return None


def _one_byte(mark: str) -> bytes:
    # What cp1252 leaves undefined comes through as a control character.
    return mark.encode("latin-1" if "\x80" <= mark <= "\x9f" else "cp1252")


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _score(text: str, reading: Reading) -> float:
    """Return how plausible a text is, from 0 to 1: the share of its foreign characters that are common and in place."""
    marks = list(_foreign(text))
    good = sum(mark in reading.common and _fits(before, mark, after, reading) for before, mark, after in marks)
    return min(good / (reading.share * len(marks)), 1.0) if marks else 0.0


def _foreign(text: str) -> Iterator[tuple[str, str, str]]:
    for found in re.finditer(r"[^\x00-\x7f]", text):
        at = found.start()
        yield text[at - 1 : at], found[0], text[at + 1 : at + 2]


def _fits(before: str, mark: str, after: str, reading: Reading) -> bool:
    """Tell whether a character may be between its neighbours: one script a word, no capital after a small letter."""
    letters = [each for each in (before, after) if each.isalpha()]
    plain = [each for each in letters if each.isascii()]
    if not reading.latin:
        return not plain
    if not mark.isalpha():
        return len(letters) < 2 or mark in "’·"
    # Foreign letters of Latin script stand among plain ones, and no capital stands after a small letter.
    return bool(plain or not letters) and not (mark.isupper() and before.islower())
