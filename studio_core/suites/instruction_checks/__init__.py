"""Instructions whose following a program can check: the 25 kinds of IFEval (arXiv 2311.07911), by their names there.

A check is ``(answer, what the record gives for this kind) -> whether the answer follows it``. It raises TypeError for
values that the kind does not have, and ValueError for a relation other than ``at least`` and ``less than``.
"""

from __future__ import annotations

from collections.abc import Callable

from studio_core.suites.instruction_checks import (
    change_case,
    combination,
    detectable_content,
    detectable_format,
    keywords,
    language,
    length_constraints,
    punctuation,
    startend,
)

__all__ = ["CHECKS", "Check"]

Check = Callable[..., bool]

CHECKS: dict[str, Check] = {
    "keywords:existence": keywords.existence,
    "keywords:frequency": keywords.frequency,
    "keywords:forbidden_words": keywords.forbidden_words,
    "keywords:letter_frequency": keywords.letter_frequency,
    "language:response_language": language.response_language,
    "length_constraints:number_sentences": length_constraints.number_sentences,
    "length_constraints:number_paragraphs": length_constraints.number_paragraphs,
    "length_constraints:number_words": length_constraints.number_words,
    "length_constraints:nth_paragraph_first_word": length_constraints.nth_paragraph_first_word,
    "detectable_content:number_placeholders": detectable_content.number_placeholders,
    "detectable_content:postscript": detectable_content.postscript,
    "detectable_format:number_bullet_lists": detectable_format.number_bullet_lists,
    "detectable_format:constrained_response": detectable_format.constrained_response,
    "detectable_format:number_highlighted_sections": detectable_format.number_highlighted_sections,
    "detectable_format:multiple_sections": detectable_format.multiple_sections,
    "detectable_format:json_format": detectable_format.json_format,
    "detectable_format:title": detectable_format.title,
    "combination:two_responses": combination.two_responses,
    "combination:repeat_prompt": combination.repeat_prompt,
    "startend:end_checker": startend.end_checker,
    "startend:quotation": startend.quotation,
    "change_case:capital_word_frequency": change_case.capital_word_frequency,
    "change_case:english_capital": change_case.english_capital,
    "change_case:english_lowercase": change_case.english_lowercase,
    "punctuation:no_comma": punctuation.no_comma,
}
