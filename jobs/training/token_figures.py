"""Figures by token of a step's rollouts, written down once the last update from them is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.generation.pieces import TextPieces
from jobs.generation.stopping import Stops
from jobs.training.course import Course
from studio_core.runs import token_figures
from studio_core.runs.token_figures import TokenFigures, TokenFiguresWriter


class TokenRecorder:
    """Knows of the rollouts that were written last which ones are to have figures by token, and writes these."""

    def __init__(self, course: Course[Any]) -> None:
        self._tokenizer = course.tokenizer
        self._writer = TokenFiguresWriter(course.run_dir)
        self._marks: dict[int, str] = {}

    def expect(self, marks: Sequence[str], rewards: Sequence[float | None]) -> None:
        """The rollouts of a step have been written: these are their marks."""
        self._marks = {place: marks[place] for place in token_figures.places(rewards)}

    def wants(self, place: int) -> bool:
        """Whether the answer at that place of the step is to have figures. None is after a resumed run's first updates,
        from a batch that the earlier run wrote."""
        return place in self._marks

    def write(self, place: int, tokens: Sequence[int], figures: Mapping[str, Sequence[float]]) -> None:
        """``figures``: for each name of ``TokenFigures`` a number for each token."""
        kept = TokenFigures(tokens=texts(self._tokenizer, tokens))
        for name, values in figures.items():
            kept[name] = token_figures.short(values)  # type: ignore[literal-required]
        self._writer.write(self._marks.pop(place), kept)


def texts(tokenizer: Any, tokens: Sequence[int]) -> list[str]:
    """The text that each token adds; of a letter spelled by several the last has it. What a tokenizer leaves out of
    texts, as the end of an answer, is there by its name."""
    pieces, special = TextPieces(tokenizer, Stops(frozenset())), {*tokenizer.all_special_ids}
    added = [tokenizer.decode([token]) if token in special else pieces.add(token) for token in tokens]
    if added and (rest := pieces.finish()):
        added[-1] += rest
    return added
