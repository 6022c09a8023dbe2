"""What all protocols have in common."""

from __future__ import annotations

import pytest

from studio_core import texts
from studio_core.base.errors import BadInput
from studio_core.suites import SUITES, Verdict
from studio_core.suites.judged import PROTOCOLS
from studio_core.suites.judged.protocol import Reply, agreement_with_people, share, tokens_about
from tests.unit.studio_core.suites.judged.mock import for_candidate, item, outcome

REPLIES = {
    "mt_bench": ("[[9]]", "[[9]]"),
    "mt_bench_pairs": ("[[A]]", "[[B]]"),
    "alpaca_eval": ("m", "M"),
    "arena_hard": ("[[A>B]]", "[[B>A]]"),
    "rubric": ("score: 9", "score: 9"),
    "rubric_pairs": ("score A: 9\nscore B: 5", "score A: 5\nscore B: 9"),
}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_names_what_it_has_and_tells(name: str) -> None:
    protocol = PROTOCOLS[name]()
    reading = outcome(protocol, item(), for_candidate(*REPLIES[name]))
    summary, verdict = protocol.summary([reading]), protocol.value(reading)
    assert verdict.readable and verdict.value > 0.5 and 0 <= verdict.value <= 1
    quoted = next(iter(summary.figures.values()))
    assert quoted.low <= quoted.value <= quoted.high and summary.kinds == {"writing": quoted}
    for language in texts.LANGUAGES:
        for name in (*summary.figures, *summary.counts):
            assert texts.text(f"suites.figures.{name}", language)
        assert texts.text(f"suites.reasons.{verdict.reason}", language, **verdict.values)
        keys = [protocol.title_key, protocol.help_key]
        keys += [key for each in protocol.fields for key in (each.title_key, each.help_key)]
        assert all(texts.text(key, language) for key in keys)


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize(
    "piece", [" ", "*", "- ", "[", "[[", "9", "[9", "A>", "<think>", "</think>", "a:", "m'"]
)
def test_whatever_a_judge_writes_is_read_at_once(name: str, piece: str) -> None:
    """A pattern that looks back over and over would take hours for it."""
    assert PROTOCOLS[name]().read(Reply(piece * 50_000)) is None


@pytest.mark.parametrize("name", ["mt_bench", "alpaca_eval", "arena_hard"])
def test_a_suite_that_is_judged_has_a_protocol(name: str) -> None:
    suite = SUITES[name]
    assert suite.scored_by == "judge" and suite.protocol is not None and suite.source is not None
    for language in texts.LANGUAGES:
        assert texts.text(suite.title_key, language) and texts.text(suite.help_key, language)


def test_tokens_of_english_and_chinese() -> None:
    assert (tokens_about("Good morning"), tokens_about("早上好"), tokens_about("")) == (3, 2, 0)


def test_turns_of_one_conversation_are_not_independent() -> None:
    assert share([1.0, 0.0, 1.0, 1.0], items=2) != share([1.0, 0.0, 1.0, 1.0])
    assert share([]) is None


def test_an_option_that_cannot_be_is_refused() -> None:
    with pytest.raises(BadInput, match="-1"):
        PROTOCOLS["arena_hard"](seed=-1)
    with pytest.raises(BadInput):
        PROTOCOLS["arena_hard"](prompts="")


def test_a_judge_beside_people() -> None:
    verdicts = {"1": Verdict(1.0), "2": Verdict(0.75), "3": Verdict(0.5), "4": Verdict(0.0, readable=False)}
    agreement = agreement_with_people(verdicts, {"1": 1.0, "2": 0.5, "3": 0.5, "4": 0.0, "5": 1.0})
    assert (agreement.share.count, agreement.share.of) == (2, 3)
    assert agreement.share.low < 2 / 3 < agreement.share.high
