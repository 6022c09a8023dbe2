from __future__ import annotations

import gradio as gr
import pytest
from starlette.requests import Request

from app.i18n import catalogue, combined, cookie, language_of, say, t, translations
from studio_core import texts


def request(cookies: str = "", accepts: str = "") -> Request:
    headers = [(b"cookie", cookies.encode()), (b"accept-language", accepts.encode())]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    ("cookies", "accepts", "language"),
    [
        ("lang=zh-CN", "en", "zh-CN"),
        ("lang=en", "zh-CN", "en"),
        ("", "zh-TW,zh;q=0.9,en;q=0.5", "zh-CN"),
        ("", "fr,de;q=0.5", "en"),
        ("lang=xx", "zh", "en"),
        ("", "", "en"),
    ],
)
def test_the_chosen_language_comes_before_the_browsers(cookies: str, accepts: str, language: str) -> None:
    plain = request(cookies, accepts)
    assert language_of(plain) == language
    assert language_of(gr.Request(plain)) == language


def test_without_a_request_it_is_english() -> None:
    assert language_of(None) == "en"


def test_a_cookie_is_read_through_gradios_wrapper() -> None:
    assert cookie(gr.Request(request("theme=dark")), "theme") == "dark"
    assert cookie(request(), "theme") is None


def test_an_unknown_text_is_a_defect() -> None:
    with pytest.raises(KeyError):
        t("shell.no_such_text")
    assert t("shell.nav_home").key == "shell.nav_home"


def test_values_are_filled_in() -> None:
    assert say("shell.status_running", "zh-CN", n=3) == "3 个运行中"


def test_several_texts_make_one_label_in_each_language() -> None:
    label = combined("{} ({})", "shell.nav_data", "shell.language")
    assert catalogue("en")[label.key] == "Data (Language)"
    assert catalogue("zh-CN")[label.key] == "数据 (语言)"
    assert not set('{}"') & set(label.key)


def test_both_languages_say_everything() -> None:
    assert translations().translations.keys() == texts.LANGUAGES.keys()
    english, chinese = texts.catalogue("en"), texts.catalogue("zh-CN")
    ours = {key for key in english if key.startswith("shell.")}
    assert ours == {key for key in chinese if key.startswith("shell.")}
