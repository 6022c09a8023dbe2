"""How an answer looks, apart from what it says: its length, and how dense it is with headers, lists and bold.

Li, Angelopoulos and Chiang 2024, "Does Style Matter? Disentangling style and substance in Chatbot Arena", as
Arena-Hard takes it over: of an answer A beside an answer B, with tokens n and counts c of each kind of markdown, the
differences are

    length:   (n_A - n_B) / (n_A + n_B)
    markdown: (d_A - d_B) / (d_A + d_B + 1), where d = c / (n + 1)

The authors then take off the mean of each over all battles of all models. Here a model stands alone beside its
baseline, and the mean is what is to be taken out: they are only divided by their root mean square, so that 0 still says
that both answers look alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from studio_core.suites.judged.protocol import tokens_about

# What stands in a block of code is no markdown.
_CODE = re.compile(r"^```.*?(?:^```|\Z)", re.MULTILINE | re.DOTALL)
_MARKDOWN = (
    re.compile(r"^#{1,6}\s", re.MULTILINE),
    re.compile(r"^[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]", re.MULTILINE),
    re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__"),
)
"""Headers, items of lists, bold."""


def differences(pairs: Sequence[tuple[str, str]]) -> np.ndarray[Any, Any]:
    """(pairs, 4): of each answer beside the other one its length, headers, lists and bold, in root mean squares."""
    raw = np.array([_difference(*pair) for pair in pairs]).reshape(-1, 1 + len(_MARKDOWN))
    spread = np.sqrt((raw**2).mean(axis=0))
    return raw / np.where(spread > 0, spread, 1.0)


def _difference(answer: str, other: str) -> list[float]:
    (n, *counts), (m, *others) = _style(answer), _style(other)
    densities = [(c / (n + 1), d / (m + 1)) for c, d in zip(counts, others, strict=True)]
    return [(n - m) / ((n + m) or 1), *((c - d) / (c + d + 1) for c, d in densities)]


def _style(text: str) -> list[int]:
    """Tokens, and counts of each kind of markdown."""
    plain = _CODE.sub("", text)
    return [tokens_about(text), *(len(kind.findall(plain)) for kind in _MARKDOWN)]
