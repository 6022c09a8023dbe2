r"""Formulas and words compared by what they mean: ``(x+1)^2`` is ``x^2+2x+1``.

Expressions are read and compared by the library math-verify, in the helper process: SymPy may be held up for ever by
an answer such as ``10^{10^{10}}``, there it comes to a limit and the comparison fails. Words have no meaning for
SymPy, which would take ``no`` and ``on`` for one product of letters: they are compared by their spelling.
"""

from __future__ import annotations

import re
from typing import Any

from studio_core.data.final_answers import LONGEST, final_answer, number, same
from studio_core.sandbox import sandboxed

_END = 2000
"""Characters of an answer without a marked result in which one is looked for: it stands at the end."""
_COMMAND = re.compile(
    r"\\(?:text|mathrm|mathbf|textbf|mbox|operatorname|begin|end)\s*\{[^{}]*\}|\\[A-Za-z]+"
    r"|\b(?:sin|cos|tan|cot|sec|csc|log|exp|sqrt|max|min|mod|gcd|lcm)\b"
)
_WORD = re.compile(r"[^\W\d_]{3,}|[^\W\d_\x00-\x7f]|\A\s*[^\W\d_]{2,}\s*\Z")
"""Three letters side by side, a letter of no alphabet that formulas have, or a text that is nothing but letters."""


def means_same(reference: str, answer: str) -> bool:
    """Whether the final answer of a text is that of the reference: as numbers, by spelling, or as expressions.

    Raises StudioError where nobody can compare the two in the time that the helper has.
    """
    wanted, given = final_answer(reference) or reference, final_answer(answer)
    if same(given or answer, wanted):
        return True
    if is_words(wanted) or (given is not None and is_words(given)):
        return False
    if _whole(wanted) and _whole(given or answer):
        return False
    return equal(wanted, given or answer[-_END:])


def _whole(text: str) -> bool:
    """Whether it is a whole number: two of them need no algebra to differ. Fractions do: 0.333333 is read as 1/3."""
    value = number(text)
    return value is not None and value.value.denominator == 1 and not (value.percent or value.unit)


def is_words(text: str) -> bool:
    """Whether a final answer is no expression, or none that is worth reading."""
    return len(text) > LONGEST or _WORD.search(_COMMAND.sub(" ", text)) is not None


@sandboxed
def equal(wanted: str, given: str) -> bool:
    """Whether an expression equals the one that a text is or ends in."""
    # A second to import: only where somebody asks.
    from math_verify import verify

    # The order counts: the second may be an equation of which the first is the solution.
    return bool(verify(_parsed(wanted), _parsed(given), timeout_seconds=None))


def _parsed(text: str) -> list[Any]:
    from math_verify import parse

    # Without marks around it only a number would be found in an expression: in 2x+1 the 1.
    marked = is_words(text) or "$" in text or "\\boxed" in text
    # No alarm, which needs a thread of its own: the helper's limit counts.
    parsed: list[Any] = parse(text if marked else f"${text.strip()}$", parsing_timeout=None)
    return parsed
