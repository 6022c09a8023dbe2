"""Why a row cannot be used, and what was read otherwise than it stands, counted, so that it can be said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Notes:
    """Kinds of such things: ``{code: {"n": how often, **values of the first}}``.

    ``code`` is a key of the text catalogue: ``data.note_<code>``.
    """

    kinds: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, code: str, n: int = 1, **values: Any) -> None:
        kind = self.kinds.setdefault(code, {"n": 0, **values})
        kind["n"] += n


class Rejected(Exception):
    """A row that cannot be used. ``code`` is a key of the text catalogue: ``data.row_<code>``."""

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code, values)
        self.code = code
        self.values = values
