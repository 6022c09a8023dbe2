"""Keep the records that meet all conditions."""

from __future__ import annotations

import re

from pydantic import model_validator

from studio_core.curation.base import Operation, OperationOptions, Work
from studio_core.data.shapes import texts_of
from studio_core.errors import BadInput
from studio_core.methods.base import option


class FilterOptions(OperationOptions):
    min_characters: int = option(0, at_least=0, at_most=100_000_000, unit="characters", advanced=False)
    max_characters: int = option(0, at_least=0, at_most=100_000_000, unit="characters", advanced=False)
    matching: str = option("", advanced=False)
    not_matching: str = option("", advanced=False)

    @model_validator(mode="after")
    def _patterns_are_patterns(self) -> FilterOptions:
        for pattern in (self.matching, self.not_matching):
            try:
                re.compile(pattern)
            except re.error as error:
                raise BadInput("curation.not_a_pattern", pattern=pattern[:80], reason=str(error)) from error
        return self


def run(work: Work, options: FilterOptions) -> None:
    wanted = re.compile(options.matching) if options.matching else None
    unwanted = re.compile(options.not_matching) if options.not_matching else None
    kept = work.output()
    for _, record in work.each():
        texts = list(texts_of(record))
        text, length = "\n".join(texts), sum(map(len, texts))
        fits = (
            length >= options.min_characters
            and (not options.max_characters or length <= options.max_characters)
            and (wanted is None or wanted.search(text) is not None)
            and (unwanted is None or unwanted.search(text) is None)
        )
        if fits:
            kept.add(record)
        work.count("kept" if fits else "dropped")


FILTER = Operation(name="filter", Options=FilterOptions, run=run)
