"""Personal data in a text, found by pattern: addresses, numbers, keys.

Each pattern is followed by a test that separates a number from one that merely looks like it:
checksums, known prefixes, impossible values. What names a person without a pattern (a name, a
street) is not found.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

Kind = Literal["email", "phone", "card", "iban", "national_id", "secret", "ip_address"]

KINDS: tuple[Kind, ...] = ("secret", "email", "national_id", "iban", "card", "phone", "ip_address")
"""In order of precedence: where two overlap, the first one holds."""


@dataclass(frozen=True)
class Span:
    """Characters ``start`` to ``end`` of a text."""

    kind: Kind
    start: int
    end: int


def find_personal_data(text: str) -> list[Span]:
    """All personal data in the text, in order; spans do not overlap."""
    kept: list[Span] = []
    # They come by precedence: whoever is first keeps the place, and later ones that overlap are dropped.
    for span in _candidates(text):
        place = bisect_left(kept, span.start, key=lambda other: other.start)
        after_the_last = place == 0 or kept[place - 1].end <= span.start
        if after_the_last and (place == len(kept) or span.end <= kept[place].start):
            kept.insert(place, span)
    return kept


def mask_personal_data(text: str) -> tuple[str, Counter[Kind]]:
    """The text with ``[EMAIL]``, ``[PHONE]`` and so on in place of personal data, and how many of each."""
    spans = find_personal_data(text)
    parts: list[str] = []
    end = 0
    for span in spans:
        parts += [text[end : span.start], f"[{span.kind.upper()}]"]
        end = span.end
    return "".join([*parts, text[end:]]), Counter(span.kind for span in spans)


def _candidates(text: str) -> Iterator[Span]:
    """By precedence. The cheap tests come first, since most texts have nothing."""
    # Looking for a few letters costs far less than a regular expression, and nearly every text has none of
    # them.
    if any(map(text.__contains__, _SECRET_MARKS)):
        yield from _matches("secret", _SECRET, text, _is_secret)
    if "://" in text and "@" in text:
        yield from _matches("secret", _URL_PASSWORD, text)
    if "@" in text:
        yield from _matches("email", _EMAIL, text, _is_email)
    # All that follow have at least seven digits close together.
    if not _MANY_DIGITS.search(text):
        return
    long = _LONG_NUMBER.search(text) is not None
    if long:
        # Before cards: an identity number of 18 digits may pass for one.
        yield from _matches("national_id", _CN_ID, text, _is_cn_id)
    yield from _matches("national_id", _US_SSN, text)
    if long:
        yield from _matches("iban", _IBAN, text, _is_iban)
        yield from _matches("card", _CARD, text, _is_card)
        yield from _matches("phone", _CN_MOBILE, text, _is_no_term)
    if "+" in text or "00" in text:
        yield from _matches("phone", _INTERNATIONAL, text, _is_international)
    yield from _matches("phone", _US_PHONE, text)
    if text.count(".") >= 3:
        yield from _matches("ip_address", _IPV4, text, _is_ip)


def _matches(
    kind: Kind, pattern: re.Pattern[str], text: str, is_one: Callable[[re.Match[str]], bool] | None = None
) -> Iterator[Span]:
    for match in pattern.finditer(text):
        if is_one is None or is_one(match):
            yield Span(kind, *match.span())


# Words of other scripts may stand right beside a number, so \b and \w (which know Chinese) are not used.
_BEFORE = r"(?<![A-Za-z0-9_.,+\-])"
_AFTER = r"(?![A-Za-z0-9_\-]|[.,]\d)"

# Between two digits at most what people put there when they write a number in groups.
_MANY_DIGITS = re.compile(r"(?:[0-9][ ().\-/]{0,2}){6}[0-9]")

_LONG_NUMBER = re.compile(r"(?:[0-9][ \-]?){10}[0-9]")
"""Eleven digits: all cards, accounts, identity numbers and Chinese phone numbers have a run of as many."""

# Lengths as RFC 5321 has them (64 before the sign, 63 for a part of the
# name): bounded, so that no text makes the search slow.
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+\-/@])[A-Za-z0-9_][A-Za-z0-9._%+\-]{0,63}"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.){1,5}([A-Za-z]{2,24})(?![A-Za-z0-9@(]|[.\-][A-Za-z0-9])"
)
# "icon@2x.png" is a picture for fine screens.
_FILE_ENDINGS = frozenset(
    (
        "png",
        "jpg",
        "jpeg",
        "gif",
        "svg",
        "webp",
        "ico",
        "css",
        "js",
        "ts",
        "html",
        "htm",
        "json",
        "txt",
        "pdf",
        "mp3",
        "mp4",
    )
)


def _is_email(match: re.Match[str]) -> bool:
    # The address of a repository, not of a person.
    ssh = match[0].startswith("git@") and match.string[match.end() : match.end() + 1] in (":", "/")
    return match[1].lower() not in _FILE_ENDINGS and not ssh


_SECRET_MARKS = (
    "AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "sk-", "hf_",
    "xox", "AIza", "k_live_", "k_test_", "eyJ", "PRIVATE KEY-----",
)  # fmt: skip
_SECRET = re.compile(
    r"(?<![A-Za-z0-9_\-])(?:"
    r"A[KS]IA[A-Z0-9]{16}"  # AWS
    r"|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{40,255}|glpat-[A-Za-z0-9_\-]{20,64}"
    r"|sk-(?:[a-z]{2,10}-)?[A-Za-z0-9_\-]{20,200}"  # OpenAI and those that follow it
    r"|hf_[A-Za-z0-9]{30,64}"  # Hugging Face
    r"|xox[abeprs]-[A-Za-z0-9\-]{10,200}"  # Slack
    r"|AIza[A-Za-z0-9_\-]{35}"  # Google
    r"|[prs]k_(?:live|test)_[A-Za-z0-9]{16,200}"  # Stripe
    r"|eyJ[A-Za-z0-9_\-]{8,2000}\.eyJ[A-Za-z0-9_\-]{8,4000}\.[A-Za-z0-9_\-]{16,2000}"  # JWT
    r")(?![A-Za-z0-9_])"
    r"|-----BEGIN (?:[A-Z]{1,20} ){0,3}PRIVATE KEY-----"
    r"(?:[A-Za-z0-9+/=\s:,\\]|-(?!----)){0,10000}"
    r"(?:-----END (?:[A-Z]{1,20} ){0,3}PRIVATE KEY-----)?"
)
# The name and password before a host, ended by what cannot stand in them unescaped.
_URL_PASSWORD = re.compile(r"(?<=://)[^\s/:@\"'<>{}$\[\]]{1,100}:[^\s/:@\"'<>{}$\[\]]{1,100}(?=@[A-Za-z0-9])")


def _is_secret(match: re.Match[str]) -> bool:
    """Keys are random: ``sk-the-long-name-of-a-css-class`` is none."""
    text = match[0]
    if not text.startswith("sk-"):
        return True
    return any(c.isdigit() for c in text) and (any(c.isupper() for c in text) or text.count("-") < 3)


_CN_ID = re.compile(
    r"(?<![A-Za-z0-9_])[1-8][0-9]{5}(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]"
    r"(?![A-Za-z0-9_])"
)
# 2 to the power of the place, modulo 11, as GB 11643 has it.
_CN_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def _is_cn_id(match: re.Match[str]) -> bool:
    """The check character of GB 11643."""
    number = match[0].upper()
    total = sum(int(digit) * weight for digit, weight in zip(number, _CN_WEIGHTS, strict=False))
    return "10X98765432"[total % 11] == number[17]


_US_SSN = re.compile(
    _BEFORE + r"(?!000|666|9[0-9]{2})[0-9]{3}([ \-])(?!00)[0-9]{2}\1(?!0000)[0-9]{4}" + _AFTER
)

_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"
)


def _is_iban(match: re.Match[str]) -> bool:
    """The check digits of ISO 13616, and a length that a country has."""
    number = match[0].replace(" ", "")
    # 15 as Norway's, up to the 34 that the norm allows; and none of them has fewer than ten digits.
    if not 15 <= len(number) <= 34 or sum(c.isdigit() for c in number) < 10:
        return False
    # The country and its check digits go to the end, letters are 10 to
    # 35: the rest of a division by 97 is 1.
    return int("".join(str(int(c, 36)) for c in number[4:] + number[:4])) % 97 == 1


_CARD = re.compile(
    _BEFORE
    + r"(?:[0-9]{4}([ \-])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{3})?|3[0-9]{3}([ \-])[0-9]{6}\2[0-9]{4,5}"
    r"|[0-9]{13,19})" + _AFTER
)
_ISSUERS = re.compile(
    r"4[0-9]{15}"  # Visa
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|(?:6011|64[4-9][0-9]|65[0-9]{2})[0-9]{12}"  # Discover
    r"|62[0-9]{14,17}"  # UnionPay
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12}"  # JCB
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}"  # Diners Club
)


def _is_card(match: re.Match[str]) -> bool:
    """An issuer's prefix and length, and the check digit (Luhn)."""
    number = match[0].replace(" ", "").replace("-", "")
    # All zeros pass Luhn's check, too.
    if not _ISSUERS.fullmatch(number) or len(set(number)) == 1 or not _is_no_term(match):
        return False
    digits = [int(digit) for digit in reversed(number)]
    # Every second digit from the right is doubled, and of 14 the digits count: 1 and 4.
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


_OPERATORS = ("+", "*", "/", "×", "÷", "=")

_CN_MOBILE = re.compile(_BEFORE + r"(?:(?:\+|00)?86[ \-]?)?1[3-9][0-9]([ \-]?)[0-9]{4}\1[0-9]{4}" + _AFTER)
_INTERNATIONAL = re.compile(
    _BEFORE + r"(?:\+|(?<![0-9] )00)[1-9][0-9]{0,2}[ .\-]?"
    r"(?:\([0-9]{1,4}\)[ .\-]?)?[0-9](?:[ .\-/]?[0-9]){5,12}" + _AFTER
)


def _is_international(match: re.Match[str]) -> bool:
    """Of a length that numbers have; a bare ``+1234567`` in a sum is none."""
    digits = "".join(c for c in match[0] if c.isdigit())
    digits = digits[2:] if match[0].startswith("00") else digits
    # North America: always ten digits after the 1.
    if digits.startswith("1"):
        return len(digits) == 11
    # Written in one piece it must be longer, since a bare number with a plus may be anything.
    return (10 if match[0][1:].isdigit() else 8) <= len(digits) <= 13 and not digits.startswith("0")


def _is_no_term(match: re.Match[str]) -> bool:
    """Not part of a sum: ``1646615806005 + 4111111111111111 = ...``"""
    text, (start, end) = match.string, match.span()
    # A dozen signs are enough to see the operator before it.
    before = text[max(0, start - 12) : start].rstrip()
    after = text[end : end + 4].lstrip()
    is_result = before.endswith("=") and before[:-1].rstrip()[-1:].isdigit()
    return not (is_result or before.endswith(("+", "*", "/", "×", "÷", " -")) or after.startswith(_OPERATORS))


_US_PHONE = re.compile(
    _BEFORE + r"(?:1[ .\-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}([ .\-]))"
    r"[2-9][0-9]{2}(?(1)\1|[ .\-])[0-9]{4}" + _AFTER
)

_IPV4 = re.compile(
    r"(?<![A-Za-z0-9_.\-])[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?![A-Za-z0-9_\-]|\.[0-9])"
)


def _is_ip(match: re.Match[str]) -> bool:
    """A public address; four small numbers are rather a version or a section."""
    parts = match[0].split(".")
    if any(int(part) > 255 or (part[0] == "0" and len(part) > 1) for part in parts):
        return False
    # "1.2.3.4" is a version; and private or reserved ranges lead to nobody.
    return max(map(int, parts)) >= 100 and IPv4Address(match[0]).is_global
