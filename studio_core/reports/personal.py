"""How many records hold personal data, and of which kinds."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

from pydantic import BaseModel

from studio_core.reports.batch import Batch
from studio_core.reports.check import Check, Rows
from studio_core.reports.personal_data import Kind, find_personal_data


class PersonalData(BaseModel):
    rows: int
    spans: dict[str, int]
    """Places in all, by kind."""
    rows_with: dict[str, int]
    """Rows by kind."""


class PersonalCheck(Check[PersonalData]):
    name: ClassVar[str] = "personal_data"
    finds: ClassVar[tuple[str, ...]] = ("personal_data",)

    def __init__(self, asked: Any) -> None:
        super().__init__(asked)
        self._spans: Counter[Kind] = Counter()
        self._rows: Counter[Kind] = Counter()

    def see(self, batch: Batch) -> None:
        for place, text in enumerate(batch.texts):
            kinds = Counter(span.kind for span in find_personal_data(text))
            if kinds:
                self._spans.update(kinds)
                self._rows.update(kinds.keys())
                batch.flag(place, "personal_data")

    def result(self, rows: Rows) -> PersonalData:
        return PersonalData(
            rows=len(rows.with_finding("personal_data")),
            spans=dict(self._spans.most_common()),
            rows_with=dict(self._rows.most_common()),
        )
