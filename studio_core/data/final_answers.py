"""Final answers: found in a text, read as a number where they are one, and compared.

Reports use it to say which reference answers cannot be checked, rewards and suites to check what a model answers,
so that all agree.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction

LONGEST = 200
"""Characters; what is longer is an explanation, no final answer."""


@dataclass(frozen=True)
class Number:
    value: Fraction
    percent: bool = False
    unit: str = ""


def final_answer(text: str) -> str | None:
    """What a worked solution ends in: after ``####``, in the last ``\\boxed{}``, or after "the answer is".

    None if nothing marks it. Markers win over phrases; the last one counts.
    """
    if "####" in text:
        return text.rpartition("####")[2].strip() or None
    if (boxed := _boxed(text)) is not None:
        return boxed.strip() or None
    said = _PHRASE.findall(text)
    return said[-1].strip().rstrip(".。") or None if said else None


def number(text: str) -> Number | None:
    """The number that the text is, with whatever sign, separators, fraction, percent and unit it has.

    ``1,234``, ``$18.00``, ``3/4``, ``1 1/2``, ``\\frac{3}{4}``, ``-5 km/h``, ``1.5e3``, ``50%``, ``3万``. None if
    it is something else.
    """
    if len(text) > LONGEST:
        return None
    text = _plain(text)
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    match = _NUMBER.fullmatch(text)
    value = _value(match) if match else None
    if match is None or value is None:
        return None
    unit = (match["unit"] or "").strip()
    word = match["apart"] and unit[1:2].isalpha()
    if unit and not (word or unit in _SHORT_UNITS or unit[0] > "\x7f" or unit in "$€£¥"):
        return None  # Rather a variable, as in 2k.
    for name, factor in _MULTIPLES.items():
        if unit == name or unit.startswith(f"{name} ") or (name > "\x7f" and unit.startswith(name)):
            value, unit = value * factor, unit[len(name) :].strip()
            break
    return Number(-value if match["sign"] == "-" else value, bool(match["percent"]), unit)


def same(one: str, other: str) -> bool:
    """Whether two final answers say the same: as numbers if both are, else as texts without their spelling.

    ``50%`` equals ``50`` and ``0.5``: which of the two was asked for, the question says.
    """
    first, second = number(one), number(other)
    if first is None or second is None:
        return first is second and _folded(one) == _folded(other)
    if first.value == second.value:
        return True
    percent, plain = (first, second) if first.percent else (second, first)
    return percent.percent and not plain.percent and percent.value == 100 * plain.value


_PHRASE = re.compile(
    r"(?:(?:the|my) (?:final |correct )?answer(?: is|:)|final answer:|(?:最终)?答案(?:是|为|：|:))\s*[:：]?\s*"
    r"(?:\*\*|\$)?([^\n]{1,200}?)(?:\*\*|\$)?\s*(?:\n|$|(?<=\S)\.(?:\s|$)|。)",
    re.IGNORECASE,
)
_DIGITS = r"(?:[0-9]{1,3}(?:[,'_ ][0-9]{3})+|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+|[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]+"
_NUMBER = re.compile(
    r"(?P<sign>[+-]?)\s*(?:[$€£¥₹]|usd|eur|rmb|cny)?\s*(?P<minus>[+-]?)"
    rf"(?:(?P<whole>[0-9]+)\s+)??(?P<top>{_DIGITS})(?:e(?P<power>[+-]?[0-9]{{1,2}}))?"
    rf"(?:\s*/\s*(?P<bottom>{_DIGITS}))?"
    r"(?:\s*(?P<percent>%|percent(?![a-z])|per cent))?"
    r"(?P<apart>\s)?\s*(?P<unit>[$€£¥]|°[CF]?|[^\W\d_](?:[^\W\d_]|[ .'’/\-]){0,40}(?:\^?\{?[23]\}?|[²³])?)?\s*\.?",
    re.IGNORECASE,
)
_FRACTION = re.compile(
    r"(?P<whole>[0-9]+)?\s*\\[dt]?frac\s*(?:\{([^{}]*)\}|([0-9]))\s*(?:\{([^{}]*)\}|([0-9]))"
)
_TEXT = re.compile(r"\\(?:text|mathrm|textbf|mbox|mathbf)\s*\{([^{}]*)\}")
_SHORT_UNITS = frozenset(
    (
        "m",
        "s",
        "g",
        "h",
        "l",
        "L",
        "km",
        "cm",
        "mm",
        "kg",
        "mg",
        "ml",
        "ft",
        "in",
        "lb",
        "min",
        "am",
        "pm",
        "km/h",
    )
)
"""Units that may stand right behind a number."""
_MULTIPLES = {
    "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "千": 10**3, "万": 10**4, "百万": 10**6, "亿": 10**8,
}  # fmt: skip


def _value(match: re.Match[str]) -> Fraction | None:
    top = Fraction(_digits(match["top"]))
    if power := match["power"]:
        top *= Fraction(10) ** int(power)
    if bottom := match["bottom"]:
        below = Fraction(_digits(bottom))
        if not below:
            return None
        top /= below
    elif match["whole"]:
        return None  # Two numbers side by side, and no fraction.
    if match["sign"] and match["minus"]:
        return None
    top += int(match["whole"] or 0)
    return -top if match["minus"] == "-" else top


def _digits(text: str) -> str:
    """As Python reads it: no thousands separators, a point before decimals."""
    if re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]+", text):
        return text.replace(".", "").replace(",", ".")
    return re.sub(r"[,'_ ]", "", text)


def _plain(text: str) -> str:
    """Without dress: LaTeX, full-width characters, odd spaces and minus signs, a sentence's full stop."""
    text = (
        unicodedata.normalize("NFKC", text).strip().strip("$").replace("\u2212", "-").replace("\u2013", "-")
    )
    text = text.strip("*` \t")
    boxed = _boxed(text)
    if boxed is not None and text.startswith("\\boxed"):
        text = boxed
    text = _TEXT.sub(r" \1", text)
    text = (
        text.replace("\\!", "").replace("{,}", ",").replace("\\,", "").replace("\\$", "$").replace("\\%", "%")
    )
    text = re.sub(r"\\(?:left|right|;|:| )", "", text)
    text = _FRACTION.sub(_written_out, text)
    text = re.sub(r"\^\{?\\circ\}?|\\degree|\\circ", "°", text)
    return re.sub(r"\s+", " ", text).strip()


def _written_out(match: re.Match[str]) -> str:
    whole, top, bottom = match["whole"], match[2] or match[3], match[4] or match[5]
    return f"{whole} {top}/{bottom}" if whole else f"{top}/{bottom}"


def _boxed(text: str) -> str | None:
    """What stands in the last ``\\boxed{}``, brackets inside it included."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth, begin = 0, start + len("\\boxed{")
    for place in range(begin - 1, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[begin:place]
    return None


def _folded(text: str) -> str:
    text = _plain(text).casefold().replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac")
    return re.sub(r"\s+|[.。]$", "", text)
