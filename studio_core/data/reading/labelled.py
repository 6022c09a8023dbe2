"""Exports of labelling programs: a task with the answers of people becomes a row of plain columns.

Argilla: ``fields``, ``responses`` and ``suggestions``, nested or as columns with dots. Label Studio:
``data`` and ``annotations``. Each question is a column with what most people answered; where they
chose between two answers, ``chosen`` and ``rejected`` hold the texts.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from studio_core.data.columns import Row
from studio_core.data.turns import Rejected

Answers = dict[str, list[Any]]
"""What people answered to each question."""

_TIES = {"tie", "equal", "both", "neither", "same", "none", "draw", "skip"}
_SIDES = {"left": 0, "a": 0, "1": 0, "first": 0, "right": 1, "b": 1, "2": 1, "second": 1}


@dataclass(frozen=True)
class Export:
    """A program's way of writing its records."""

    name: str
    """``argilla`` or ``label_studio``."""
    unfold: Callable[[Row], Row]
    """A row of plain columns; raises ``Rejected`` where nobody answered."""
    questions: tuple[str, ...]
    """Columns that hold answers of people."""


def recognise(rows: Sequence[Row]) -> Export | None:
    """The program that wrote these rows, if it is one of these."""
    for name, (is_of, unfold, answers) in _PROGRAMS.items():
        found = [row for row in rows if is_of(row)]
        # Most and not all: tasks without any answer look different.
        if found and len(found) * 2 > len(rows):
            questions = dict.fromkeys(question for row in found for question in answers(row))
            return Export(name.removesuffix("_flat"), unfold, tuple(questions))
    return None


# Label Studio


def _is_label_studio(row: Row) -> bool:
    return isinstance(row.get("data"), dict) and isinstance(
        row.get("annotations", row.get("completions")), list
    )


def _results(row: Row) -> Iterator[dict[str, Any]]:
    for annotation in row.get("annotations", row.get("completions")) or []:
        # A skipped task keeps what was entered before.
        if isinstance(annotation, dict) and not annotation.get("was_cancelled"):
            for result in annotation.get("result") or []:
                if isinstance(result, dict) and isinstance(result.get("value"), dict):
                    yield result


def _label_studio_answers(row: Row) -> Answers:
    answers: Answers = {}
    for result in _results(row):
        # One kind for each way to ask.
        for kind in ("choices", "rating", "number", "text", "selected"):
            if kind in result["value"]:
                answers.setdefault(str(result.get("from_name")), []).append(_single(result["value"][kind]))
    return answers


def _label_studio(row: Row) -> Row:
    if not _is_label_studio(row):
        raise Rejected("not_as_the_others", program="Label Studio")
    answers = _label_studio_answers(row)
    if not answers:
        raise Rejected("not_annotated")
    sides = next((str(r.get("to_name")).split(",") for r in _results(row) if "selected" in r["value"]), None)
    return _with_answers(dict(row["data"]), answers, sides)


# What the program notes of the work, and nothing of the data.
_KEPT_FOR_ITSELF = ("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time")


def _is_label_studio_flat(row: Row) -> bool:
    """Of its JSON-MIN and CSV exports, which have a column for each question."""
    return "annotation_id" in row and "lead_time" in row


def _label_studio_flat_answers(row: Row) -> Answers:
    answers: Answers = {}
    for name, value in row.items():
        if isinstance(value, str) and value.startswith('{"'):
            value = _parse_cell(value)
        if isinstance(value, dict):
            value = next((value[kind] for kind in ("selected", "choices", "rating") if kind in value), None)
        # Only what looks like an answer: in this export a question is a column like those of the task.
        judged = isinstance(value, int | float) or (isinstance(value, str) and value.lower() in _SIDES)
        if value is not None and name not in _KEPT_FOR_ITSELF and (judged or value is not row[name]):
            answers[name] = [_single(value)]
    return answers


def _label_studio_flat(row: Row) -> Row:
    if not _is_label_studio_flat(row):
        raise Rejected("not_as_the_others", program="Label Studio")
    columns = {name: value for name, value in row.items() if name not in _KEPT_FOR_ITSELF}
    return _with_answers(columns, _label_studio_flat_answers(row), None)


# Argilla


def _is_argilla(row: Row) -> bool:
    nested = isinstance(row.get("fields"), dict) and ("responses" in row or "suggestions" in row)
    return nested or any(name.endswith((".responses", ".suggestion")) for name in row)


def _argilla_answers(row: Row) -> Answers:
    """By question: what was submitted, or else suggested."""
    said: Answers = {}
    suggested: Answers = {}
    if not isinstance(row.get("fields"), dict):
        for name, value in row.items():
            if name.endswith(".responses"):
                said[name.removesuffix(".responses")] = _list_in(value)
            elif name.endswith(".suggestion"):
                suggested[name.removesuffix(".suggestion")] = [] if value in (None, "") else [value]
    else:
        for name, response in _pairs(row.get("responses")):
            # Drafts and discarded answers are no answers.
            if response.get("status", "submitted") == "submitted" and "value" in response:
                said.setdefault(name, []).append(response["value"])
        for name, suggestion in _pairs(row.get("suggestions")):
            if suggestion.get("value") is not None:
                suggested.setdefault(name, []).append(suggestion["value"])
    # A suggestion of a model only where nobody answered.
    return {name: said.get(name) or suggested.get(name, []) for name in {**said, **suggested}}


def _pairs(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Question and answer, in the ways of both versions of Argilla."""
    if isinstance(value, dict):
        for name, answers in value.items():
            for answer in answers if isinstance(answers, list) else [answers]:
                yield name, answer if isinstance(answer, dict) else {"value": answer}
    for item in value if isinstance(value, list) else []:
        if not isinstance(item, dict):
            continue
        if isinstance(item.get("values"), dict):
            for name, answer in item["values"].items():
                if isinstance(answer, dict):
                    yield name, {"status": item.get("status", "submitted"), **answer}
        elif isinstance(item.get("question_name"), str):
            yield item["question_name"], item


def _argilla(row: Row) -> Row:
    if not _is_argilla(row):
        raise Rejected("not_as_the_others", program="Argilla")
    answers = _argilla_answers(row)
    nested = isinstance(row.get("fields"), dict)
    columns = row["fields"] if nested else {n: v for n, v in row.items() if not _belongs(n, answers)}
    return _with_answers(dict(columns), answers, None)


def _belongs(column: str, answers: Answers) -> bool:
    """Whether a column holds answers to a question, or what Argilla keeps of a record for itself."""
    if column in ("_server_id", "status", "id"):
        return True
    return any(column.startswith((f"{name}.responses", f"{name}.suggestion")) for name in answers)


# Both


def _with_answers(row: Row, answers: Answers, sides: list[str] | None) -> Row:
    """The columns of a task with its answers; a choice between two of them makes a pair."""
    # All answers first, since a choice may name the column of another one.
    for question, given in answers.items():
        if given:
            row[question] = _majority(given)
    for question, given in answers.items():
        if given:
            pair = _pair(row, question, sides)
            if pair is not None:
                return {**{n: v for n, v in row.items() if n != question}, **pair}
    return row


def _majority(given: list[Any]) -> Any:
    """What most people answered, the first of those if there are several."""
    # As JSON, since lists and objects cannot be counted themselves.
    counted = Counter(json.dumps(value, sort_keys=True, default=str) for value in given)
    commonest = counted.most_common(1)[0][0]
    return next(v for v in given if json.dumps(v, sort_keys=True, default=str) == commonest)


def _pair(row: Row, question: str, sides: list[str] | None) -> Row | None:
    answer = row[question]
    if isinstance(answer, list) and all(isinstance(item, dict) and "rank" in item for item in answer):
        return _pair_of_ranking(row, answer)
    if not isinstance(answer, str):
        return None
    columns = _sides(row, question, sides)
    plain = _plain(answer)
    if columns is None or not (plain in map(_plain, columns) or plain in _SIDES or plain in _TIES):
        return None
    if plain in _TIES:
        raise Rejected("no_preference", column=question, answer=answer[:60])
    names = [_plain(column) for column in columns]
    place = names.index(plain) if plain in names else _SIDES[plain]
    return {"chosen": row[columns[place]], "rejected": row[columns[1 - place]]}


def _pair_of_ranking(row: Row, ranking: list[dict[str, Any]]) -> Row | None:
    names = {_plain(column): column for column in row}
    ranked = [
        (item["rank"], names[_plain(str(item.get("value")))])
        for item in ranking
        if isinstance(item["rank"], int) and _plain(str(item.get("value"))) in names
    ]
    if len(ranked) < 2:
        return None
    # The clearest pair of a ranking.
    best, worst = min(ranked), max(ranked)
    if best[0] == worst[0]:
        raise Rejected("no_preference", column="ranking", answer="tie")
    return {"chosen": row[best[1]], "rejected": row[worst[1]]}


def _sides(row: Row, question: str, named: list[str] | None) -> list[str] | None:
    """The two columns between which people chose: those that are named, or two whose names end in 1 and 2."""
    if named and len(named) == 2 and all(name in row for name in named):
        return named
    stems: dict[str, list[str]] = {}
    for column in row:
        match = re.fullmatch(r"(.*?)[ _\-]?([12ab]|left|right)", column.lower())
        if match and column != question:
            stems.setdefault(match[1], []).append(column)
    # Exactly two: of three it is not known which were compared.
    return next((sorted(columns) for columns in stems.values() if len(columns) == 2), None)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _single(value: Any) -> Any:
    """Lists as Label Studio writes even one choice or text."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "\n".join(value)
    return value


def _parse_cell(cell: str) -> Any:
    """JSON in the cell of a table; None if it is none."""
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return None


def _list_in(value: Any) -> list[Any]:
    if isinstance(value, str) and value.startswith("["):
        value = _parse_cell(value)
    return [item for item in value if item is not None] if isinstance(value, list) else []


_PROGRAMS: dict[str, tuple[Callable[[Row], bool], Callable[[Row], Row], Callable[[Row], Answers]]] = {
    "label_studio": (_is_label_studio, _label_studio, _label_studio_answers),
    "label_studio_flat": (_is_label_studio_flat, _label_studio_flat, _label_studio_flat_answers),
    "argilla": (_is_argilla, _argilla, _argilla_answers),
}
