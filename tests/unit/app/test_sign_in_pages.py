"""The sign-in page and the page of one's own account, as a browser and as an attacker use them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import anyio
import pyotp
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app import access, gate
from app.account import browser_name
from app.pages import PAGES
from app.web import create_app
from studio_core.base import clock
from studio_core.base.studio import Studio, open_studio
from studio_core.base.tables import SignInFailure, UserSession
from studio_core.people import accounts, sign_in
from studio_core.people.sign_in_failures import DEVICE_DAYS, PAIR
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
    cookies = enter(browser).headers.get_list("set-cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == [COOKIE, f"{COOKIE}-device"]
    for cookie, lasts in zip(cookies, (604_800, DEVICE_DAYS * 86_400), strict=True):
        flags = {flag.strip().lower() for flag in cookie.split(";")[1:]}
        assert {"httponly", "samesite=strict", "path=/", f"max-age={lasts}"} == flags


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
    assert len(answer.headers.get_list("set-cookie")) == 2
    assert "x=1" not in answer.headers["set-cookie"]


def test_unknown_and_wrong_answer_with_the_same_page(browser: TestClient) -> None:
    pages = [enter(browser, name, "wrong password") for name in ("tom", "nobody")]
    assert [page.status_code for page in pages] == [401, 401]
    assert pages[0].text.replace('value="tom"', "") == pages[1].text.replace('value="nobody"', "")
    assert 'role="alert">Wrong name or password.' in pages[0].text


def test_a_lock_out_says_how_long_and_is_the_same_for_unknown_names(browser: TestClient) -> None:
    for name in ("tom", "nobody"):
        for _ in range(PAIR.free + 1):
            assert enter(browser, name, "wrong password").status_code == 401
        locked = enter(browser, name)
        assert locked.status_code == 429
        assert re.search(r"Too many failed attempts. Try again in (\d|10|11) seconds", locked.text)


def test_a_known_browser_gets_in_while_strangers_try_its_name(
    browser: TestClient, application: FastAPI
) -> None:
    enter(browser)
    assert browser.cookies.get(f"{COOKIE}-device")
    browser.post("/sign-out")
    assert browser.cookies.get(f"{COOKIE}-device"), "it is known also after signing out"
    stranger = TestClient(application, base_url=HOST, follow_redirects=False, headers={"origin": HOST})
    for _ in range(PAIR.free + 1):
        enter(stranger, password="wrong password")
    assert enter(stranger).status_code == 429
    assert enter(browser).status_code == 303


def test_codes_are_set_up_asked_for_and_turned_off(browser: TestClient, studio: Studio) -> None:
    assert 'id="sign-in-code"' not in browser.get("/sign-in").text
    enter(browser)
    assert "Wrong password" in browser.post("/account/codes", data={"password": "no"}).text
    shown = browser.post("/account/codes", data={"password": PASSWORD}).text
    secret = re.search(r'id="codes-secret">([A-Z2-7]+)<', shown)[1]  # type: ignore[index]
    offer = re.search(r'name="offer" value="([^"]+)"', shown)[1]  # type: ignore[index]
    assert "<svg " in shown and accounts.find(studio, "tom").totp_secret is None
    code = pyotp.TOTP(secret).now()
    assert browser.post("/account/codes/on", data={"offer": offer, "code": "000000"}).status_code == 401
    forged = offer.replace(secret, pyotp.random_base32())
    assert browser.post("/account/codes/on", data={"offer": forged, "code": code}).status_code == 400
    assert browser.post("/account/codes/on", data={"offer": offer, "code": code}).status_code == 303
    assert accounts.find(studio, "tom").totp_secret == secret
    browser.post("/sign-out")
    assert 'id="sign-in-code"' in browser.get("/sign-in").text
    assert "Enter the code" in enter(browser).text
    assert enter(browser, code=code).status_code == 401, "it was used to turn codes on"
    assert enter(browser, code=pyotp.TOTP(secret).at(time.time() + 30)).status_code == 303
    assert browser.post("/account/codes/off", data={"password": PASSWORD}).status_code == 303
    assert accounts.find(studio, "tom").totp_secret is None


def test_an_offer_of_somebody_else_turns_nothing_on(browser: TestClient, studio: Studio) -> None:
    enter(browser, "ann")
    shown = browser.post("/account/codes", data={"password": PASSWORD}).text
    secret = re.search(r'id="codes-secret">([A-Z2-7]+)<', shown)[1]  # type: ignore[index]
    offer = re.search(r'name="offer" value="([^"]+)"', shown)[1]  # type: ignore[index]
    browser.post("/sign-out")
    enter(browser)
    answer = browser.post("/account/codes/on", data={"offer": offer, "code": pyotp.TOTP(secret).now()})
    assert answer.status_code == 400 and accounts.find(studio, "tom").totp_secret is None


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36", "Chrome · Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64) Chrome/130.0 Safari/537.36 Edg/130.0", "Edge · Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari · iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15) Gecko Firefox/130.0", "Firefox · Mac OS X"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "–"),
    ],
)  # fmt: skip
def test_a_browser_is_named_as_people_name_it(agent: str, name: str) -> None:
    assert browser_name(agent) == name


def test_sessions_are_listed_and_the_others_ended(browser: TestClient, application: FastAPI) -> None:
    other = TestClient(application, base_url=HOST, follow_redirects=False, headers={"origin": HOST})
    other.headers["user-agent"] = "<b>Other</b>"
    enter(browser)
    enter(other)
    shown = browser.get("/account").text
    assert "&lt;b&gt;Other" in shown and "this browser" in shown
    assert '<time datetime="' in shown
    assert browser.post("/account/sessions/end").status_code == 303
    assert browser.get("/api/me").status_code == 200 and other.get("/api/me").status_code == 401


@pytest.mark.anyio
async def test_a_stream_ends_when_its_account_is_disabled(
    studio: Studio, application: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "LOOK_AGAIN", 0.02)
    _, cookie = sign_in.sign_in(studio, "lea", PASSWORD, "10.0.0.9")
    ended = anyio.Event()

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            accounts.set_disabled(studio, "lea", True)
            await anyio.sleep_forever()
        finally:
            ended.set()

    door = gate.Gate(endless, studio, access.Access(PAGES))
    scope = {
        "type": "http", "method": "GET", "path": "/label", "query_string": b"", "scheme": "http",
        "headers": [(b"cookie", f"{COOKIE}={cookie}".encode()), (b"host", b"127.0.0.1:7860")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 7860), "state": {},
    }  # fmt: skip
    try:
        with anyio.fail_after(60):
            await door(scope, None, _ignore)  # type: ignore[arg-type]
        assert ended.is_set()
    finally:
        accounts.set_disabled(studio, "lea", False)


async def _ignore(message: Any) -> None:
    return


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


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
    assert "This is a one-time password" in shown and "Back to Tunesmith" not in shown
    form = {"old": "made for new one", "new": "my own good phrase", "again": "my own good phrase"}
    before = browser.cookies[COOKIE]
    for wrong, sentence in (
        ({"again": "another"}, "do not match"),
        ({"old": "wrong password"}, "Wrong password"),
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
    assert browser.get("/runs").status_code == 403 and "not allowed to do this" in browser.get("/runs").text


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
