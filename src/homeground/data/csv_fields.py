"""Values as fields of a CSV file that a spreadsheet may open."""

from __future__ import annotations

import json
import re
from typing import Any

NUMBER = re.compile(r"[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters a spreadsheet takes for a formula; such a text is written with an apostrophe before it."""


def csv_field(value: Any) -> Any:
    """Return a value as a CSV field: what a spreadsheet would run gets an apostrophe, what CSV has not is JSON.

    >>> csv_field("=1+1"), csv_field("-5"), csv_field(["a"])
    ("'=1+1", '-5', '["a"]')
    """
    if isinstance(value, str):
        return "'" + value if value.startswith(FORMULA) and not NUMBER.fullmatch(value) else value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, bool | list | dict) else value
