"""Cells of a table that spreadsheets open: what one would run as a formula is defused, and undone on reading.

A spreadsheet takes an apostrophe at the start of a cell for "this is text". It is put before cells
that are a formula, and before those that would otherwise lose one of their own when it is taken
away again: undoing gives every text back as it was, and leaves other apostrophes alone.
"""

from __future__ import annotations

import re

# Also the full-width signs, which Excel in East Asian versions takes for the same.
_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]")
# "-5" is a number, and an apostrophe would make it a text.
_NUMBER = re.compile(r"[+-]?\d[\d.,]*")


EMPTY = "'"
"""A cell that holds an empty text, where one with nothing in it holds no value."""


def escape_formula(cell: str) -> str:
    """The cell with an apostrophe before it, if a spreadsheet would run it as a formula."""
    return f"'{cell}" if cell and _runs(cell.lstrip("'")) else cell


def unescape_formula(cell: str) -> str:
    """The cell as it was before ``escape_formula``."""
    return cell[1:] if cell.startswith("'") and _runs(cell.lstrip("'")) else cell


def _runs(cell: str) -> bool:
    """Whether an apostrophe before the cell means something."""
    return not cell or (bool(_FORMULA.match(cell)) and not _NUMBER.fullmatch(cell))
