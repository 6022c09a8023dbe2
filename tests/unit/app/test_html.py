from __future__ import annotations

from datetime import timedelta

import pytest
from markupsafe import Markup

from app.parts.html import (
    ago,
    badge,
    count,
    duration,
    empty,
    html,
    join,
    notice,
    number,
    panel,
    size,
    stat,
    table,
)
from studio_core import texts
from studio_core.base import clock
from studio_core.base.states import State

EVIL = "<img src=x onerror=alert(1)>${alert(2)}{{alert(3)}}"


def test_every_value_is_escaped_and_markup_is_not() -> None:
    assert "<img" not in html("<p>{}</p>", EVIL)
    assert html("<p>{}</p>", html("<b>{}</b>", "1 < 2")) == "<p><b>1 &lt; 2</b></p>"
    assert (
        html('<a href="{address}">x</a>', address='"><script>') == '<a href="&#34;&gt;&lt;script&gt;">x</a>'
    )


@pytest.mark.parametrize(
    "made",
    [
        notice("bad", EVIL),
        empty(EVIL, (EVIL, "/data")),
        table([EVIL], [[EVIL]], caption=EVIL),
        stat(EVIL, EVIL, EVIL),
        join([html("{}", EVIL)]),
    ],
)
def test_no_piece_lets_outside_text_through(made: Markup) -> None:
    assert "<img" not in made
    assert "onerror=alert(1)&gt;" in made


def test_every_state_has_a_badge_in_both_languages() -> None:
    for language in texts.LANGUAGES:
        labels = {badge(state, language) for state in State}
        assert len(labels) == len(State)


def test_a_table_row_must_fit_its_headers() -> None:
    with pytest.raises(ValueError, match="zip"):
        table(["a", "b"], [[1]])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (-1, "–"),
        (0, "0 s"),
        (2.34, "2.3 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert duration(seconds, "en") == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (None, None, "–"),
        (1234567, None, "1,234,567"),
        (0.12345, None, "0.123"),
        (1234.5, None, "1,234"),
        (3.14159, 2, "3.14"),
        (2.0, 0, "2"),
        (0.00001234, None, "1.23e-05"),
    ],
)
def test_number(value: float | None, digits: int | None, text: str) -> None:
    assert number(value, digits) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (512, "512 B"), (4_200_000, "4.2 MB"), (150e9, "150 GB"), (2.5e12, "2.5 TB")],
)
def test_size(value: float | None, text: str) -> None:
    assert size(value) == text


def test_count() -> None:
    assert [count(n) for n in (None, 0, 999, 2_100_000, 1_700_000_000)] == ["–", "–", "999", "2.1 M", "1.7 B"]


def test_ago_says_how_long_and_keeps_the_moment() -> None:
    assert ago(None, "en") == "–"
    assert "just now" in ago(clock.now(), "en")
    assert "5 分钟前" in ago(clock.now() - timedelta(minutes=5), "zh-CN")
    assert "2 d ago" in ago(clock.now() - timedelta(days=2, hours=3), "en")
    assert 'datetime="' in ago(clock.now(), "en")


def test_a_panel_has_none_of_gradios_text_styles() -> None:
    assert panel("some-id").apply_default_css is False
