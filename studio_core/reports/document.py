"""The report on one dataset version: what the page shows and ``data report --json`` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field

from studio_core.reports.answers import Answers
from studio_core.reports.check import FIRST
from studio_core.reports.control_tokens import ControlTokens
from studio_core.reports.duplicates import Duplicates
from studio_core.reports.findings import Severity
from studio_core.reports.labels import Labels
from studio_core.reports.languages import Languages
from studio_core.reports.overlap import Overlap
from studio_core.reports.pairs import Pairs
from studio_core.reports.personal import PersonalData
from studio_core.reports.quality import Quality
from studio_core.reports.references import References
from studio_core.reports.sizes import Sizes
from studio_core.reports.token_lengths import TokenLengths
from studio_core.reports.turn_structure import Turns

# In every stored report, so that a later form can tell the old ones.
VERSION = 1


class Finding(BaseModel):
    name: str
    severity: Severity
    rows: int
    """Records that have it; 0: it was looked for and not found."""
    share: float
    first: list[int]
    """Their row numbers, the first ones; the features file has all."""


class Verdicts(BaseModel):
    """Every record of the file that was brought in, by what is to be done with it."""

    good: int
    look: int
    """To look at: often unwanted."""
    bad: int
    """Training on them does harm or teaches nothing."""
    rejected: int = 0
    """Left out when the file was brought in."""


class RejectedReason(BaseModel):
    code: str
    """``data.row_<code>`` is the sentence; ``values`` fill it for the first of the rows."""
    values: dict[str, Any]
    rows: int
    first: list[int]


class Report(BaseModel):
    """A part is null where it does not apply to the shape."""

    version: int = VERSION
    shape: str
    rows: int
    model: str = Field(default="", description="Model whose tokenizer counted; empty: none did.")
    limit: int | None = Field(default=None, description="Tokens beyond which a record is cut.")
    seconds: float
    verdicts: Verdicts
    rejected: list[RejectedReason] = Field(default_factory=list)
    findings: list[Finding]
    sizes: Sizes
    tokens: TokenLengths | None = None
    turn_structure: Turns | None = None
    answers: Answers | None = None
    languages: Languages
    quality: Quality
    duplicates: Duplicates
    overlap: Overlap
    personal_data: PersonalData
    control_tokens: ControlTokens | None = None
    pairs: Pairs | None = None
    labels: Labels | None = None
    references: References | None = None

    def finding(self, name: str) -> Finding | None:
        return next((finding for finding in self.findings if finding.name == name), None)

    def with_rejected(self, rejected: Sequence[Mapping[str, Any]], count: int) -> Report:
        """With what the import left out: ``{"row", "code", ...}`` of the first rows, and how many in all."""
        by_code: dict[str, list[Mapping[str, Any]]] = {}
        for entry in rejected:
            by_code.setdefault(str(entry.get("code", "")), []).append(entry)
        reasons = [
            RejectedReason(
                code=code,
                values=dict(entries[0].get("values") or {}),
                rows=len(entries),
                first=[int(entry["row"]) for entry in entries[:FIRST]],
            )
            for code, entries in by_code.items()
        ]
        verdicts = self.verdicts.model_copy(update={"rejected": count})
        reasons.sort(key=lambda reason: -reason.rows)
        return self.model_copy(update={"verdicts": verdicts, "rejected": reasons})
