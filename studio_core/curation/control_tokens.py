"""Take control tokens of chat templates out of what people and models wrote, or spell them so that they are none."""

from __future__ import annotations

from typing import Literal

from studio_core.curation import parts
from studio_core.curation.base import Operation, OperationOptions, Work
from studio_core.data.shapes import Record
from studio_core.options import option
from studio_core.reports.control_tokens import SPELLED

Action = Literal["remove", "escape"]


class ControlTokenOptions(OperationOptions):
    action: Action = option("remove", advanced=False)


def run(work: Work, options: ControlTokenOptions) -> None:
    output = work.output()
    for row, record in work.each():
        new, count = cleaned(record, options.action)
        output.add(new if count else record, row)
        work.count("kept")
        work.count("changed", bool(count))
        work.count("control_tokens", count)


def cleaned(record: Record, action: Action) -> tuple[Record, int]:
    """The record without control tokens, and how many there were; ``escape`` puts a space behind their first letter."""
    count = 0

    def change(text: str) -> str:
        nonlocal count
        # What is left of two halves may spell another one.
        while True:
            text, found = SPELLED.subn(lambda m: "" if action == "remove" else f"{m[0][0]} {m[0][1:]}", text)
            count += found
            if not found:
                return text

    return parts.rewritten(record, change), count


CONTROL_TOKENS = Operation(name="control_tokens", Options=ControlTokenOptions, run=run, group="clean")
