"""The language that people read: messages are written in English, and translated where they are shown.

Every message is an f-string where it is made, and English in files (scores.json, data.json, run.json). What shows
messages (the terminal, errors, the report) passes them through `translate`, which finds the message that a text was
made from, such as ``{0} train, {1} validation, {2} test examples``, in the catalogue of the language and writes its
translation around the same values; values that are messages themselves are translated too. Templates of pages are
translated as they are loaded: see `pages`. A text that no message matches stays as it is.

The catalogue is zh.po, compiled to zh.mo for gettext by ``python -m docs.messages``, which collects the messages of the
source; a test holds it complete.
"""

from __future__ import annotations

import os
from functools import cache

from homeground.errors import UsageError, show_with
from homeground.languages.catalogue import Catalogue, read_catalogue

LANGUAGES = ("en", "zh")
VARIABLE = "HOMEGROUND_LANGUAGE"
_LOCALE_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
_chosen: list[str] = []


def use_language(name: str | None) -> None:
    """Show messages in this language from now on; with None in that of the environment.

    Raises:
        UsageError: there is no catalogue of that language.
    """
    if name is not None and name not in LANGUAGES:
        raise UsageError(f'--language "{name}": there is no such catalogue; known: {", ".join(LANGUAGES)}')
    _chosen[:] = [] if name is None else [name]


def language() -> str:
    """Return the language of messages: the one in use, else HOMEGROUND_LANGUAGE, else that of the locale, else en."""
    if _chosen:
        return _chosen[0]
    named = os.environ.get(VARIABLE)
    locale = named or next((value for name in _LOCALE_VARIABLES if (value := os.environ.get(name))), "")
    code = locale.replace("-", "_").split("_")[0].lower()
    return code if code in LANGUAGES else "en"


def current_catalogue() -> Catalogue | None:
    """Return the catalogue of the language in use; None for English, in which messages are written."""
    code = language()
    return None if code == "en" else _read(code)


@cache
def _read(code: str) -> Catalogue:
    return read_catalogue(code)


def translate(text: str) -> str:
    """Return a message in the language in use; what is no message, or has no translation, as it is."""
    known = current_catalogue()
    return text if known is None else known.translate(text)


show_with(translate)
