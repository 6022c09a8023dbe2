"""The colours can be read: contrasts of the tokens, by the formula of WCAG 2."""

from __future__ import annotations

import re

import pytest

from app.theme import _VARIABLES, theme
from studio_core.base.settings import bundled_folder

CSS = (bundled_folder() / "css" / "studio.css").read_text(encoding="utf-8")
TEXT = [
    *[(ink, ground) for ink in ("text", "muted", "accent-text") for ground in ("bg", "surface", "raised")],
    *[(ink, "surface") for ink in ("good", "warn", "bad", "info", "a", "b")],
    *[(ink, f"{ink}-soft") for ink in ("good", "warn", "bad", "info", "a", "b")],
    *[("text", f"{kind}-soft") for kind in ("good", "warn", "bad", "info", "accent")],
    ("accent-text", "accent-soft"),
    ("on-accent", "accent"),
    ("on-accent", "accent-strong"),
    ("muted", "field"),
]
EDGES = [("field-border", "surface"), ("field-border", "field"), ("accent", "surface"), ("accent", "bg")]


def tokens(dark: bool) -> dict[str, str]:
    block = re.search(r":root\.dark \{(.*?)\}" if dark else r":root \{(.*?)\}", CSS, re.S)
    assert block
    return dict(re.findall(r"--ts-([\w-]+): (#[0-9a-f]{6});", block[1]))


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_can_be_read_and_every_edge_seen(dark: bool) -> None:
    colours = tokens(dark)
    weak = {
        f"{ink} on {ground}": round(ratio, 2)
        for pairs, least in ((TEXT, 4.5), (EDGES, 3.0))
        for ink, ground in pairs
        if (ratio := contrast(colours[ink], colours[ground])) < least
    }
    assert weak == {}


def test_light_and_dark_have_the_same_tokens() -> None:
    assert tokens(dark=True).keys() == tokens(dark=False).keys()


def test_gradios_variables_name_tokens_that_exist_and_set_both_twins() -> None:
    used = set(re.findall(r"var\(--ts-([\w-]+)\)", " ".join(_VARIABLES.values())))
    assert used <= {*tokens(dark=False), "focus", "shadow"}
    made = theme()
    for name, value in _VARIABLES.items():
        assert getattr(made, f"{name}_dark", value) == value
