"""Put a word such as [EMAIL] in place of personal data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import get_args

from pydantic import field_validator

from studio_core.base.errors import BadInput
from studio_core.curation import parts
from studio_core.curation.base import Operation, OperationOptions, Work
from studio_core.data.shapes import Record
from studio_core.options import option
from studio_core.reports.personal_data import KINDS, Kind, find_personal_data


class MaskOptions(OperationOptions):
    kinds: list[Kind] = option(list(KINDS), advanced=False)
    replacement: str = option("[{kind}]", advanced=False)

    @field_validator("kinds")
    @classmethod
    def _some_kind(cls, kinds: list[Kind]) -> list[Kind]:
        if not kinds:
            raise BadInput("curation.no_kind", known=", ".join(get_args(Kind)))
        return kinds


def run(work: Work, options: MaskOptions) -> None:
    wanted = frozenset(options.kinds)
    output = work.output()
    for row, record in work.each():
        new, counts = masked(record, wanted, options.replacement)
        output.add(new if counts else record, row)
        work.count("kept")
        work.count("changed", bool(counts))
        for kind, count in counts.items():
            work.count(kind, count)


def masked(record: Record, kinds: Collection[Kind], replacement: str) -> tuple[Record, Counter[Kind]]:
    """The record without personal data, and how much of each kind there was."""
    counts: Counter[Kind] = Counter()

    def change(text: str) -> str:
        for span in reversed(find_personal_data(text)):
            if span.kind in kinds:
                word = replacement.replace("{kind}", span.kind.upper())
                text = text[: span.start] + word + text[span.end :]
                counts[span.kind] += 1
        return text

    return parts.rewritten(record, change), counts


MASK = Operation(name="mask", Options=MaskOptions, run=run, group="clean")
