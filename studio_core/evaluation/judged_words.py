"""What a judge has said of a model, in words: the protocol's figures, what speaks for the judge, and what it took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio_core.base.tables import Evaluation
from studio_core.evaluation import browsing
from studio_core.evaluation.sentences import figure
from studio_core.statistics.agreement_rate import Share
from studio_core.texts import text


def judged_words(row: Evaluation, people: Share | None, language: str) -> str:
    """One sentence; empty of a row that no judge scored. ``people``: how often they said the same, if it is known."""
    told = row.figures.get("judged")
    if not told or "judge" not in told:
        return ""
    parts = [
        *_figures(told, row.figures["unit"], language),
        *_trust(told, people, language),
        _effort(told, language),
    ]
    return text(
        "evaluation.judged",
        language,
        model=row.model,
        suite=browsing.title(row.suite, language),
        judge=told["judge"],
        protocol=text(f"suites.protocols.{told['protocol']}", language),
        told=text("evaluation.separator", language).join(parts),
    )


def _figures(told: Mapping[str, Any], unit: Any, language: str) -> list[str]:
    named = {text(f"suites.figures.{name}", language): each for name, each in told["figures"].items()}
    figures = [
        text(
            "evaluation.reached",
            language,
            suite=name,
            value=figure(each["value"], unit),
            low=figure(each["low"], unit),
            high=figure(each["high"], unit),
            level=f"{each['level']:.0%}",
        )
        for name, each in {**named, **told["parts"]}.items()
    ]
    counts = [
        f"{text(f'suites.figures.{name}', language)} {count:,}" for name, count in told["counts"].items()
    ]
    return [*figures, *counts]


def _trust(told: Mapping[str, Any], people: Share | None, language: str) -> list[str]:
    """What speaks for the judge, or against it; what it did not say is left out of all figures."""
    parts = []
    if who := told.get("published"):
        parts.append(text("evaluation.judge_published", language, who=who))
    if consistency := told["consistency"]:
        value = figure(consistency["value"], "share")
        parts.append(text("evaluation.judge_consistent", language, value=value))
    if people and people.of:
        rate, low, high = (figure(each, "share") for each in (people.rate, people.low, people.high))
        parts.append(
            text(
                "evaluation.judge_agrees",
                language,
                count=people.count,
                of=people.of,
                rate=rate,
                low=low,
                high=high,
            )
        )
    by_text = "logprobs_refused" if told.get("logprobs_refused") else "read_from_text"
    for name, key in (
        ("unreadable",) * 2,
        ("unanswered",) * 2,
        ("no_published",) * 2,
        ("read_from_text", by_text),
    ):
        if count := told.get(name):
            parts.append(text(f"evaluation.judge_{key}", language, n=count))
    return parts


def _effort(told: Mapping[str, Any], language: str) -> str:
    tokens = told["tokens_in"] + told["tokens_out"]
    asked = text(
        "evaluation.judge_asked", language, n=told["calls"], cached=told["cached"], tokens=f"{tokens:,}"
    )
    return asked + (
        text("evaluation.judge_cost", language, cost=f"{told['cost']:.4g}") if told["priced"] else ""
    )
