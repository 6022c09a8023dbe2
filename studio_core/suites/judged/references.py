"""Answers that authors publish beside their questions: MT-Bench's references, the baselines of the suites of pairs.

They come in the authors' own files, one answer a record:

- MT-Bench and Arena-Hard 0.1: ``question_id`` (or ``uid``), ``model_id`` (or ``model``), and ``choices``, of whose
  first the ``turns`` are texts or ``{"content": text}``;
- Arena-Hard 2: ``uid``, ``model`` and ``messages``, of which the last one has a text or ``{"answer": text}``;
- AlpacaEval: ``instruction``, ``output`` and ``generator``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from studio_core.suites.base import Item

_IDS = ("question_id", "prompt_id", "uid", "instruction")
"""What a record of questions or answers may be called by."""
_WHO = ("model_id", "model", "generator")


def of_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """What an item keeps of the answer in a record: its texts, one for each turn, and who wrote them.

    Raises TypeError where the texts are no list.
    """
    given = record.get("reference")
    if isinstance(given, str):
        raise TypeError(f"reference: {given!r:.80} is no list")
    texts = [str(text or "") for text in given or ()]
    return {"reference": texts, "generator": str(record.get("generator") or "")}


def references(item: Item) -> Sequence[str]:
    """The published answers to an item, one for each turn; empty where one of them is not here."""
    texts: Sequence[str] = item.record.get("reference", ())
    return texts if len(texts) > len(item.follow_ups) and all(texts) else ()


def generators(items: Iterable[Item]) -> str:
    """Who wrote the published answers to these items."""
    names = {str(item.record.get("generator") or "") for item in items if references(item)}
    return ", ".join(sorted(names - {""})) or "-"


def joined(
    questions: Iterable[Mapping[str, Any]], answers: Iterable[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Records of questions, those with an answer of their id with it; others stay as they are.

    Raises ValueError of a record that is no answer, and where no answer belongs to any question.
    """
    known = dict(map(_answer, answers))
    met = 0
    for record in questions:
        answer = known.get(_id(record))
        met += answer is not None
        yield {**record, **(answer or {})}
    if not met:
        raise ValueError(next(iter(known), "-")[:80])


def _answer(record: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    try:
        who = next((str(record[name]) for name in _WHO if name in record), "")
        return _id(record), {"reference": _texts(record), "generator": who}
    except (KeyError, IndexError, TypeError):
        raise ValueError(str(dict(record))[:120]) from None


def _texts(record: Mapping[str, Any]) -> list[str]:
    if "output" in record:
        return [_text(record["output"])]
    if "choices" in record:
        return [_text(turn) for turn in record["choices"][0]["turns"]]
    return [_text(record["messages"][-1]["content"])]


def _text(told: Any) -> str:
    """A text, or one under the name that Arena-Hard gives it."""
    if isinstance(told, Mapping):
        told = told["content"] if "content" in told else told["answer"]
    if not isinstance(told, str):
        raise TypeError(told)
    return told


def _id(record: Mapping[str, Any]) -> str:
    return str(next((record[name] for name in _IDS if name in record), ""))
