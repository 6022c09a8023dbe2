"""Keep the records that meet all conditions."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any, Literal

from pydantic import model_validator

from studio_core.base.errors import BadInput
from studio_core.curation import columns, features, parts
from studio_core.curation.base import Operation, OperationOptions, Work
from studio_core.data.columns import number
from studio_core.data.patterns import Pattern
from studio_core.data.shapes import Record, texts_of
from studio_core.options import option

Described = tuple[int, Record, dict[str, Any]]
"""Row, record, features."""
Judge = Callable[[list[Described]], list[str]]
"""For each record the reason to leave it out, or nothing."""
Comparison = Literal[
    "equal", "not_equal", "at_least", "at_most", "contains", "contains_not", "empty", "not_empty"
]

# No dataset here has more records; a number typed by mistake is told.
MOST = 100_000_000


class FilterOptions(OperationOptions):
    findings: list[str] = option([], advanced=False, choices_of="findings")
    languages: list[str] = option([], advanced=False, choices_of="languages")
    min_quality: float = option(0.0, at_least=0, at_most=1, advanced=False)
    min_characters: int = option(0, at_least=0, at_most=MOST, unit="characters", advanced=False)
    max_characters: int = option(0, at_least=0, at_most=MOST, unit="characters", advanced=False)
    min_words: int = option(0, at_least=0, at_most=MOST)
    max_words: int = option(0, at_least=0, at_most=MOST)
    matching: str = option("", advanced=False)
    not_matching: str = option("", advanced=False)
    where: Literal["anywhere", "prompt", "answer", "rejected", "system"] = option("anywhere")
    plain: bool = option(False)
    ignore_case: bool = option(True)
    column: str = option("", choices_of="columns")
    comparison: Comparison = option("equal")
    value: str = option("")

    @model_validator(mode="after")
    def _patterns_are_patterns(self) -> FilterOptions:
        for pattern in filter(None, (self.matching, self.not_matching)):
            _pattern(self, pattern)
        return self

    @model_validator(mode="after")
    def _number_to_compare(self) -> FilterOptions:
        if self.column and self.comparison in _ORDER and number(self.value) is None:
            raise BadInput("curation.not_a_number", comparison=self.comparison, value=self.value[:80])
        return self


def run(work: Work, options: FilterOptions) -> None:
    judges = list(_judges(work, options))
    output = work.output()
    for batch in features.beside(work, _features_for(work, options)):
        for judge in judges:
            reasons = judge(batch)
            for reason in filter(None, reasons):
                work.drop(reason)
            # A record has one reason, that of the first condition that it fails: the counts add up.
            batch = [one for one, reason in zip(batch, reasons, strict=True) if not reason]
        for row, record, _ in batch:
            output.add(record, row)
        work.count("kept", len(batch))


def _features_for(work: Work, options: FilterOptions) -> list[str]:
    """Features that the conditions ask for: none, if it goes without them."""
    wanted = {
        "findings": bool(options.findings),
        "language": bool(options.languages),
        "quality": options.min_quality > 0,
        "words": bool(options.min_words or options.max_words),
    }
    names = [name for name, needed in wanted.items() if needed]
    return list(dict.fromkeys([*names, *columns.needed(work.source, options.column)]))


def _judges(work: Work, options: FilterOptions) -> Iterator[Judge]:
    """One for each condition; the cheap ones first."""
    if options.findings:
        yield _each(lambda record, known: next((f for f in known["findings"] if f in options.findings), ""))
    if options.languages:
        wanted = {language.strip().lower() for language in options.languages}
        yield _each(lambda record, known: "" if known["language"] in wanted else "language")
    if options.min_quality > 0:
        yield _each(lambda record, known: "" if known["quality"] >= options.min_quality else "quality")
    if options.min_words or options.max_words:
        yield _each(lambda record, known: _length(known["words"], options.min_words, options.max_words))
    if options.min_characters or options.max_characters:
        least, most = options.min_characters, options.max_characters
        yield _each(lambda record, known: _length(sum(map(len, texts_of(record))), least, most))
    if options.matching:
        yield _searching(_pattern(options, options.matching), options.where, "not_found", wanted=True)
    if options.not_matching:
        yield _searching(_pattern(options, options.not_matching), options.where, "found", wanted=False)
    if options.column:
        compare = _comparing(options.comparison, options.value)
        yield _each(
            lambda record, known: "" if compare(columns.value(options.column, record, known)) else "column"
        )


def _each(reason: Callable[[Record, dict[str, Any]], str]) -> Judge:
    return lambda batch: [reason(record, known) for _, record, known in batch]


def _length(length: int, least: int, most: int) -> str:
    return "too_short" if length < least else "too_long" if most and length > most else ""


def _pattern(options: FilterOptions, pattern: str) -> Pattern:
    return Pattern(pattern, plain=options.plain, ignore_case=options.ignore_case)


def _searching(pattern: Pattern, where: str, reason: str, *, wanted: bool) -> Judge:
    chosen = () if where == "anywhere" else (where,)

    def judge(batch: list[Described]) -> list[str]:
        matches = pattern.found(["\n".join(parts.texts(record, chosen)) for _, record, _ in batch])
        return ["" if match is wanted else reason for match in matches]

    return judge


_ORDER: dict[str, Callable[[float, float], bool]] = {"at_least": operator.ge, "at_most": operator.le}


def _comparing(comparison: Comparison, value: str) -> Callable[[Any], bool]:
    """Whether what a column holds compares so with the value: as numbers where both are, else as texts."""
    amount = number(value)

    def compare(held: Any) -> bool:
        text = columns.text(held)
        if comparison in ("empty", "not_empty"):
            return bool(text.strip()) is (comparison == "not_empty")
        if comparison in ("contains", "contains_not"):
            return (value.casefold() in text.casefold()) is (comparison == "contains")
        # True is no 1: who compares labels means the word.
        own = None if isinstance(held, bool) else number(held)
        if comparison in _ORDER:
            return own is not None and amount is not None and _ORDER[comparison](own, amount)
        same = own == amount if own is not None and amount is not None else text == value
        return same is (comparison == "equal")

    return compare


FILTER = Operation(name="filter", Options=FilterOptions, run=run, group="clean")
