"""The sign-in page and the page of one's own account, as a browser and as an attacker use them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.web import create_app
from studio_core import accounts, clock, sign_in
from studio_core.sign_in import FREE_OF_NAME
from studio_core.studio import Studio, open_studio
from studio_core.tables import SignInFailure, UserSession
from tests.people import PASSWORD, add_all, cheap_hashes

__all__ = ["cheap_hashes"]
HOST = "http://127.0.0.1:7860"
COOKIE = "tunesmith-7860"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, cheap_hashes: None) -> Iterator[Studio]:
    opened = open_studio(home=tmp_path_factory.mktemp("door") / "home")
    add_all(opened)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def application(studio: Studio) -> FastAPI:
    return create_app(studio)


@pytest.fixture
def browser(application: FastAPI, studio: Studio) -> TestClient:
    """A browser of nobody's, at a time when nobody has failed."""
    with studio.db.write() as session:
        session.query(SignInFailure).delete()
    layer: Any = application.middleware_stack
    while layer is not None and not hasattr(layer, "forms"):
        layer = getattr(layer, "app", None)
    if layer is not None:
        layer.forms._left.clear()
    return TestClient(application, base_url=HOST, follow_redirects=False, headers={"origin": HOST})


def enter(browser: TestClient, name: str = "tom", password: str = PASSWORD, **more: str) -> Any:
    return browser.post("/sign-in", data={"name": name, "password": password, **more})


def test_whoever_is_not_signed_in_is_led_to_the_door_and_back(browser: TestClient) -> None:
    asked = browser.get("/runs?run=3&tab=log")
    assert asked.status_code == 303
    assert asked.headers["location"] == "/sign-in?next=%2Fruns%3Frun%3D3%26tab%3Dlog"
    door = browser.get(asked.headers["location"])
    assert 'name="next" value="/runs?run=3&amp;tab=log"' in door.text and door.status_code == 200
    entered = enter(browser, next="/runs?run=3&tab=log")
    assert (entered.status_code, entered.headers["location"]) == (303, "/runs?run=3&tab=log")
    assert browser.get("/runs?run=3").status_code == 200
    assert browser.get("/sign-in").headers["location"] == "/"


def test_the_cookie_is_strict_and_out_of_reach_of_scripts(browser: TestClient) -> None:
    cookie = enter(browser).headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    flags = {flag.strip().lower() for flag in cookie.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/", "max-age=604800"} == flags


def test_over_https_the_cookie_is_secure_and_bound_to_the_host(application: FastAPI) -> None:
    home = "https://127.0.0.1:7860"
    browser = TestClient(application, base_url=home, follow_redirects=False, headers={"origin": home})
    cookie = enter(browser).headers["set-cookie"]
    assert cookie.startswith(f"__Host-{COOKIE}=") and "; Secure" in cookie and "domain" not in cookie.lower()
    assert browser.get("/runs").status_code == 200
    # The same session under the name of an unencrypted page is not taken.
    plain = {"cookie": cookie.partition(";")[0].removeprefix("__Host-")}
    fresh = TestClient(application, base_url=home, follow_redirects=False)
    assert fresh.get("/runs", headers=plain).status_code == 303


def test_nobody_is_believed_who_says_that_the_connection_is_encrypted(browser: TestClient) -> None:
    lied = browser.post(
        "/sign-in",
        data={"name": "tom", "password": PASSWORD},
        headers={"x-forwarded-proto": "https", "x-forwarded-for": "10.9.9.9"},
    )
    assert lied.headers["set-cookie"].startswith(f"{COOKIE}=")


def test_a_session_that_was_planted_is_not_the_one_that_is_entered(
    browser: TestClient, studio: Studio
) -> None:
    """Session fixation: an attacker's own cookie, or one that they made up, does not become the victim's."""
    _, planted = sign_in.sign_in(studio, "lea", PASSWORD, "10.0.0.9")
    browser.cookies.set(COOKIE, planted)
    browser.get("/account")
    with studio.db.write() as session:
        session.query(UserSession).delete()
    browser.cookies.clear()
    browser.cookies.set(COOKIE, planted)
    entered = enter(browser)
    fresh = re.match(rf"{COOKIE}=([^;]+)", entered.headers["set-cookie"])
    assert fresh and fresh[1] != planted
    assert sign_in.account_behind(studio, planted) is None
    assert sign_in.account_behind(studio, fresh[1]).name == "tom"  # type: ignore[union-attr]


def test_a_cookie_that_was_tampered_with_is_nobodys(browser: TestClient) -> None:
    enter(browser)
    good = browser.cookies[COOKIE]
    for forged in (good[:-1], good[::-1], good.partition(".")[0], "x", good + "'--", "%00", f'"{good}x"'):
        browser.cookies.clear()
        browser.cookies.set(COOKIE, forged)
        assert browser.get("/runs").status_code == 303
        assert browser.get("/api/status").status_code == 401


def test_what_was_copied_before_signing_out_opens_nothing_afterwards(browser: TestClient) -> None:
    enter(browser)
    stolen = browser.cookies[COOKIE]
    assert browser.get("/runs").headers["cache-control"] == "no-store"  # Nor does the back button.
    left = browser.post("/sign-out")
    assert left.headers["location"] == "/sign-in" and f'{COOKIE}=""' in left.headers["set-cookie"]
    browser.cookies.clear()
    browser.cookies.set(COOKIE, stolen)
    assert browser.get("/runs").status_code == 303 and browser.get("/api/me").status_code == 401


def test_signing_out_takes_a_form_of_our_own_page(browser: TestClient) -> None:
    enter(browser)
    assert browser.get("/sign-out").status_code in (404, 405)
    assert browser.post("/sign-out", headers={"origin": "http://evil.example"}).status_code == 403
    assert browser.get("/runs").status_code == 200


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example",
        "javascript:alert(1)", "/%2f%2fevil.example", "/sign-out", "/api/me", "/runs/../..//evil.example",
        "http:/runs", "/runs@evil.example", " /runs", "\t//evil.example", "/\t/evil.example", "/run\ns", "runs",
        "?x", "", "/gradio_api/file=x", "//127.0.0.1:7860/runs", "/users",
    ],
)  # fmt: skip
def test_the_door_leads_to_pages_of_the_studio_only(browser: TestClient, wanted: str) -> None:
    assert enter(browser, next=wanted).headers["location"] == "/"
    assert browser.get("/sign-in", params={"next": wanted}).headers["location"] == "/"


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        ("/runs?run=3", "/runs?run=3"),
        ("/data/", "/"),
        ("/runs?a=\r\nSet-Cookie: x=1", "/runs?a="),
        ("/runs?next=//evil.example", "/runs?next=%2F%2Fevil.example"),
        ("/runs#x", "/runs"),
        ("/data?name=数据", "/data?name=%E6%95%B0%E6%8D%AE"),
    ],
)
def test_the_way_back_is_one_line(browser: TestClient, wanted: str, place: str) -> None:
    answer = enter(browser, next=wanted)
    assert answer.headers["location"].startswith(place) and "\n" not in answer.headers["location"]
    assert list(answer.headers.get_list("set-cookie")) == [answer.headers["set-cookie"]]
    assert "x=1" not in answer.headers["set-cookie"]


def test_unknown_and_wrong_answer_with_the_same_page(browser: TestClient) -> None:
    pages = [enter(browser, name, "wrong password") for name in ("tom", "nobody")]
    assert [page.status_code for page in pages] == [401, 401]
    assert pages[0].text.replace('value="tom"', "") == pages[1].text.replace('value="nobody"', "")
    assert 'role="alert">The name or the password is wrong.' in pages[0].text


def test_a_lock_out_says_how_long_and_is_the_same_for_unknown_names(browser: TestClient) -> None:
    for name in ("tom", "nobody"):
        for _ in range(FREE_OF_NAME + 1):
            assert enter(browser, name, "wrong password").status_code == 401
        locked = enter(browser, name)
        assert locked.status_code == 429
        assert re.search(r"Too many failed attempts. The next one counts in (2\d|30|31) seconds", locked.text)


@pytest.mark.parametrize(
    "evil", ['"><script>alert(1)</script>', "{{ 7*7 }}", "{say}", "\r\nSet-Cookie: a=b", "\x00"]
)
def test_nothing_that_is_typed_becomes_html_a_template_or_a_header(browser: TestClient, evil: str) -> None:
    for answer in (
        enter(browser, evil, evil, next=evil),
        browser.get("/sign-in", params={"next": evil, "lang": evil}),
    ):
        assert "<script" not in answer.text and ">49<" not in answer.text and '"49"' not in answer.text
        assert "a=b" not in str(answer.headers)
        assert answer.status_code in (200, 401)


def test_a_form_that_is_none_is_refused_quietly(browser: TestClient) -> None:
    for sent in (
        browser.post("/sign-in", content=b"\xff\xfe", headers={"content-type": "application/json"}),
        browser.post("/sign-in", files={"name": b"x", "password": b"y"}),
        browser.post("/sign-in", data={"name": "x" * 3000}),
        browser.post("/sign-in", data={"name": ["a", "b"], "password": ["c", "d"]}),
    ):
        assert sent.status_code in (400, 401, 422) and "Traceback" not in sent.text


def test_a_one_time_password_opens_nothing_but_the_page_to_change_it(
    browser: TestClient, studio: Studio
) -> None:
    accounts.add(studio, "new", "trainer", "made for new one", one_time=True)
    assert enter(browser, "new", "made for new one", next="/runs").headers["location"] == "/account"
    assert browser.get("/runs").headers["location"] == "/account"
    assert browser.get("/api/status").headers["location"] == "/account"
    assert browser.post("/gradio_api/queue/join", json={"data": [], "fn_index": 0}).status_code == 403
    shown = browser.get("/account").text
    assert "This password was made for you" in shown and "Back to the studio" not in shown
    form = {"old": "made for new one", "new": "my own good phrase", "again": "my own good phrase"}
    before = browser.cookies[COOKIE]
    for wrong, sentence in (
        ({"again": "another"}, "not the same"),
        ({"old": "wrong password"}, "present password is wrong"),
        ({"new": "short", "again": "short"}, "10 to 256"),
    ):
        answer = browser.post("/account", data={**form, **wrong})
        assert answer.status_code == 400 and sentence in answer.text
    changed = browser.post("/account", data=form)
    assert (changed.status_code, changed.headers["location"]) == (303, "/")
    assert browser.cookies[COOKIE] != before and browser.get("/runs").status_code == 200
    assert sign_in.account_behind(studio, before) is None


def test_an_annotator_lands_on_what_is_theirs(browser: TestClient) -> None:
    entered = enter(browser, "lea", next="/runs")
    place = entered.headers["location"]
    assert place in ("/account", "/label")
    assert browser.get("/").headers["location"] == place
    assert browser.get("/runs").status_code == 403 and "may not do this" in browser.get("/runs").text


@pytest.mark.parametrize(("language", "word"), [("en", "Sign in"), ("zh-CN", "登录")])
def test_the_page_speaks_the_readers_language_and_keeps_it(
    browser: TestClient, language: str, word: str
) -> None:
    shown = browser.get("/sign-in", params={"lang": language, "next": "/runs"})
    assert f'<html lang="{language}"' in shown.text and f"<h1>{word}</h1>" in shown.text
    assert f"lang={language}" in shown.headers["set-cookie"]
    assert "<h1>" + word in browser.get("/sign-in").text
    other = "zh-CN" if language == "en" else "en"
    assert f'href="/sign-in?lang={other}&amp;next=/runs"' in shown.text


def test_the_page_needs_no_script_and_follows_the_theme(browser: TestClient) -> None:
    shown = browser.get("/sign-in").text
    assert "<script" not in shown and "prefers-color-scheme: dark" in shown and "--ts-bg: #10161b" in shown
    assert '<label for="sign-in-name">' in shown and 'autocomplete="current-password"' in shown
    browser.cookies.set("theme", "dark")
    shown = browser.get("/sign-in").text
    assert 'class="dark"' in shown and "prefers-color-scheme" not in shown


def test_a_link_on_another_site_opens_the_page_of_whoever_is_signed_in(browser: TestClient) -> None:
    """The browser sends no strict cookie with it: a page of ours leads on, and then it does."""
    came = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    answer = browser.get('/runs?run=3&x="><script>', headers=came)
    assert answer.status_code == 200 and "<script>" not in answer.text
    assert 'content="0; url=/runs?run=3&amp;x=' in answer.text


def test_sessions_end_while_pages_are_open(browser: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(browser)
    assert browser.get("/api/me").json() == {"name": "tom", "role": "trainer"}
    from datetime import timedelta

    late = clock.now() + timedelta(hours=13)
    monkeypatch.setattr(clock, "now", lambda: late)
    assert browser.get("/api/me").status_code == 401


def test_without_accounts_nobody_is_asked(tmp_path_factory: pytest.TempPathFactory) -> None:
    """And from the first account on, everybody is, in the same process."""
    empty = open_studio(home=tmp_path_factory.mktemp("empty") / "home")
    browser = TestClient(create_app(empty), base_url=HOST, follow_redirects=False, headers={"origin": HOST})
    assert browser.get("/settings").status_code == 200
    assert browser.get("/api/me").json() == {"name": "me", "role": "administrator"}
    assert browser.get("/sign-in").headers["location"] == "/"
    assert 'id="sign-out"' not in browser.get("/").text
    assert "cache-control" not in browser.get("/").headers
    assert browser.post("/account", data={"old": "", "new": "x", "again": "x"}).headers["location"] == "/"
    accounts.add(empty, "ann", "administrator", PASSWORD)
    assert browser.get("/settings").status_code == 303
    assert browser.get("/api/me").status_code == 401
    empty.close()
