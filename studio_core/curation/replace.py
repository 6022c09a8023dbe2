"""Find and replace in chosen parts of all records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import model_validator

from studio_core.base.errors import BadInput
from studio_core.curation import parts
from studio_core.curation.base import Operation, OperationOptions, Work
from studio_core.curation.checked import checker
from studio_core.data.patterns import Pattern
from studio_core.data.shapes import Record
from studio_core.data.turns import Rejected
from studio_core.options import option

EVERYWHERE: tuple[parts.Part, ...] = ("system", "prompt", "answer", "rejected")
"""What is said; further columns hold what answers are compared with."""


class ReplaceOptions(OperationOptions):
    find: str = option("", advanced=False)
    replace: str = option("", advanced=False)
    regex: bool = option(False, advanced=False)
    ignore_case: bool = option(False, advanced=False)
    whole_words: bool = option(False, advanced=False)
    where: list[parts.Part] = option([], advanced=False)

    @model_validator(mode="after")
    def _something_to_find(self) -> ReplaceOptions:
        if not self.find:
            raise BadInput("curation.nothing_to_find")
        _pattern(self).check_replacement(self.replace)
        return self


def run(work: Work, options: ReplaceOptions) -> None:
    pattern = _pattern(options)
    where = options.where or EVERYWHERE
    check = checker(work.source.shape, work.source.kept)
    output = work.output()
    for batch in work.batches():
        texts = [text for _, record in batch for text in parts.texts(record, where)]
        # A whole batch in one call: RE2 is reached through Arrow, whose arrays are not worth making for one text.
        replaced = iter(pattern.replaced(texts, options.replace))
        for row, record in batch:
            new, count = _rewritten(record, where, replaced)
            if count:
                try:
                    # What is empty now, say, would not pass an import either.
                    new = check(new)
                except Rejected as rejected:
                    work.drop(f"row_{rejected.code}")
                    continue
                work.count("replacements", count)
                work.count("changed", new != record)
            work.count("kept")
            output.add(new if count else record, row)


def _rewritten(
    record: Record, where: Sequence[parts.Part], replaced: Iterator[tuple[str, int]]
) -> tuple[Record, int]:
    """The record with its texts replaced by the next ones, and how often something was found in them."""
    places = 0

    def next_text(_: str) -> str:
        nonlocal places
        text, count = next(replaced)
        places += count
        return text

    new = parts.rewritten(record, next_text, where)
    return new, places


def _pattern(options: ReplaceOptions) -> Pattern:
    return Pattern(
        options.find,
        plain=not options.regex,
        ignore_case=options.ignore_case,
        whole_words=options.whole_words,
    )


REPLACE = Operation(name="replace", Options=ReplaceOptions, run=run, group="clean")
