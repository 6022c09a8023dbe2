"""What checks can find in a record, and how much it matters. Texts: ``reports.finding_<name>``, ``....help``."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    BAD = "bad"
    """Training on the record does harm or teaches nothing."""
    LOOK = "look"
    """Often unwanted; a person should look."""
    NOTE = "note"
    """Good to know; says nothing against the record."""


FINDINGS: dict[str, Severity] = {
    "turn_order": Severity.BAD,
    "empty_answer": Severity.BAD,
    "identical_pair": Severity.BAD,
    "contradiction": Severity.BAD,
    "unreadable_reference": Severity.LOOK,
    "exact_duplicate": Severity.LOOK,
    "near_duplicate": Severity.LOOK,
    "in_suite": Severity.LOOK,
    "personal_data": Severity.LOOK,
    "refusal": Severity.LOOK,
    "one_word_answer": Severity.LOOK,
    "low_quality": Severity.LOOK,
    "repeated_prompt": Severity.NOTE,
    "near_prompt": Severity.NOTE,
    "different_answers": Severity.NOTE,
    "in_other_version": Severity.NOTE,
    # New ones come last: what is stored of a record are bits, one for each place.
    "control_tokens": Severity.LOOK,
    "rendered_template": Severity.LOOK,
}

BITS: dict[str, int] = {name: 1 << place for place, name in enumerate(FINDINGS)}


def names(mask: int) -> list[str]:
    """The findings of a record, from the bits that are set."""
    return [name for name, bit in BITS.items() if mask & bit]


def severity(mask: int) -> Severity | None:
    """The worst of a record's findings, or None: it is good."""
    # In the order of the class: the worst first.
    for level in Severity:
        if any(mask & BITS[name] for name, at in FINDINGS.items() if at is level):
            return level
    return None
