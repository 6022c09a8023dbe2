"""Every route and every handler of the running application, asked for by everybody: who gets through?

The tables say what is meant. A page, route or handler that nobody has thought about fails here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from gradio.blocks import BlockFunction
from starlette.routing import Mount

from app import access
from app.pages import PAGES
from tests.people import cheap_hashes
from tests.unit.app.house import ADMINISTRATOR, ANNOTATOR, EVERYBODY, TRAINER, House, open_house

__all__ = ["cheap_hashes"]
# Gradio's queue sets an option that this pandas is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:.*no_silent_downcasting")

ANYBODY = {ANNOTATOR, TRAINER, ADMINISTRATOR}
STAFF = {TRAINER, ADMINISTRATOR}
ADMINISTRATORS = {ADMINISTRATOR}

PAGES_ARE_FOR: dict[str, set[str]] = {
    "/": STAFF,
    "/data": STAFF,
    "/dataset": STAFF,
    "/label": ANYBODY,
    "/train": STAFF,
    "/runs": STAFF,
    "/evaluate": STAFF,
    "/export": STAFF,
    "/chat": STAFF,
    "/arena": STAFF,
    "/models": STAFF,
    "/users": ADMINISTRATORS,
    "/settings": ADMINISTRATORS,
    "/storage": STAFF,
    "/chats": STAFF,
    "/notices": STAFF,
}
ROUTES_ARE_FOR: dict[tuple[str, str], set[str]] = {
    ("GET", "/health"): EVERYBODY,
    ("GET", "/shared/{token}"): EVERYBODY,
    ("GET", "/sign-in"): EVERYBODY,
    ("POST", "/sign-in"): EVERYBODY,
    ("POST", "/sign-out"): ANYBODY,
    ("GET", "/account"): ANYBODY,
    ("POST", "/account"): ANYBODY,
    ("POST", "/account/codes"): ANYBODY,
    ("POST", "/account/codes/on"): ANYBODY,
    ("POST", "/account/codes/off"): ANYBODY,
    ("POST", "/account/sessions/end"): ANYBODY,
    ("GET", "/api/me"): ANYBODY,
    ("GET", "/api/status"): STAFF,
    ("GET", "/api/notices"): STAFF,
    ("GET", "/api/datasets/{id}/{format}"): STAFF,
    ("GET", "/api/evaluations/{job}/{name}"): STAFF,
    ("GET", "/api/exports/{job}/files/{name}"): STAFF,
    ("GET", "/api/exports/{job}/archive"): STAFF,
    ("GET", "/api/handovers/{run}/{trainer}"): STAFF,
    ("GET", "/api/label/{project}/next"): ANYBODY,
    ("POST", "/api/label/{project}/vote"): ANYBODY,
    ("POST", "/api/label/{project}/undo"): ANYBODY,
    ("POST", "/api/label/{project}/reopen"): ANYBODY,
    ("POST", "/api/label/{project}/release"): ANYBODY,
    ("POST", "/api/label/{project}/withdraw"): ANYBODY,
    ("POST", "/api/label/{project}/draft"): ANYBODY,
    ("GET", "/api/label/{project}/export/{shape}"): STAFF,
    ("GET", "/api/label/{project}/cases"): STAFF,
    ("GET", "/api/label/{project}/cases/{item}"): STAFF,
    ("POST", "/api/label/{project}/decide"): STAFF,
    ("POST", "/api/label/{project}/reconsider"): STAFF,
    ("GET", "/api/label/{project}/difference/{item}"): ANYBODY,
    ("GET", "/api/label/{project}/guidelines"): ANYBODY,
    ("GET", "/api/chat/{chat_id}.{ending}"): STAFF,
    ("GET", "/api/chat/{chat}/rounds/{number}"): STAFF,
    ("GET", "/api/chat/{chat}/rounds/{number}/difference"): STAFF,
    ("POST", "/api/chat/{chat}/rounds/{number}/vote"): STAFF,
    ("POST", "/api/chat/{chat}/rounds/{number}/undo"): STAFF,
    ("POST", "/api/chat/{chat}/rounds/{number}/reveal"): STAFF,
    ("POST", "/api/chat/{chat}/rounds/{number}/stop"): STAFF,
    ("POST", "/api/chat/{chat}/rounds/{number}/again"): STAFF,
    ("POST", "/api/chat/{chat}/rounds/{number}/prompt"): STAFF,
    ("POST", "/api/chat/{chat}/rounds/{number}/correct"): STAFF,
    ("POST", "/api/chat/{chat}/rounds/{number}/send"): STAFF,
    ("POST", "/api/uploads"): STAFF,
    ("GET", "/api/uploads/{id}"): STAFF,
    ("PUT", "/api/uploads/{id}"): STAFF,
    ("DELETE", "/api/uploads/{id}"): STAFF,
    ("POST", "/api/uploads/{id}/finish"): STAFF,
}
HANDLERS_ARE_FOR: dict[tuple[str, str], set[str]] = {
    ("label", "open_page"): ANYBODY,
    ("label", "open_tab_label"): ANYBODY,
    ("label", "open_tab_history"): ANYBODY,
    ("label", "open_tab_results"): STAFF,
    ("label", "open_tab_disagreements"): STAFF,
    ("label", "open_tab_rounds"): STAFF,
    ("label", "open_tab_prompts"): STAFF,
    ("label", "open_tab_judge"): STAFF,
    ("label", "open_tab_settings"): STAFF,
    ("label", "open_screen"): ANYBODY,
    ("label", "open_cases"): ANYBODY,
    ("label", "open_settings"): ANYBODY,
    ("label", "written"): STAFF,
    ("label", "compared"): STAFF,
    ("label", "text_of"): STAFF,
    ("label", "changed"): STAFF,
    ("label", "act"): STAFF,
    ("label", "open_history"): ANYBODY,
    ("label", "chosen"): ANYBODY,
    ("label", "older"): ANYBODY,
    ("label", "undone"): ANYBODY,
    ("label", "open_results"): ANYBODY,
    ("label", "open_rounds"): ANYBODY,
    ("label", "rounds"): STAFF,
    ("label", "outlook"): STAFF,
    ("label", "train"): STAFF,
    ("label", "compare"): STAFF,
    ("label", "more"): STAFF,
    ("label", "open_form"): ANYBODY,
    ("label", "created"): STAFF,
    ("label", "kind_chosen"): STAFF,
    ("label", "origin_chosen"): STAFF,
    ("label", "making_progress"): ANYBODY,
    ("label", "making_stopped"): STAFF,
    ("label", "making_resumed"): STAFF,
    ("label", "open_prompts"): ANYBODY,
    ("label", "prompts_shown"): STAFF,
    ("label", "more_asked"): STAFF,
    ("label", "open_judges"): ANYBODY,
    ("label", "judges_first"): STAFF,
    ("label", "judges_shown"): STAFF,
    ("label", "judge_started"): STAFF,
    ("label", "judges_used"): STAFF,
    ("label", "statistics"): STAFF,
    ("label", "dataset"): STAFF,
}
"""Handlers of pages that annotators open, each by itself. Those of other pages are for whom their page is."""
# What is behind these is asked about for each handler and component, below.
GRADIO_IS_FOR: dict[str, set[str]] = {
    "/favicon.ico": EVERYBODY,
    "/robots.txt": EVERYBODY,
    "/static/css/studio.css": EVERYBODY,
    "/theme.css": ANYBODY,
    "/assets/x.js": ANYBODY,
    "/gradio_api/startup-events": ANYBODY,
    "/gradio_api/app_id": ANYBODY,
    "/gradio_api/component_server": ANYBODY,
    "/gradio_api/cancel": ANYBODY,
    "/gradio_api/reset": ANYBODY,
    "/gradio_api/queue/join": ANYBODY,
    "/gradio_api/queue/data": ANYBODY,
    "/gradio_api/run/predict": ANYBODY,
    "/gradio_api/heartbeat/abc": ANYBODY,
    "/config": STAFF,
    "/gradio_api/info": STAFF,
    "/gradio_api/file=/etc/passwd": STAFF,
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, cheap_hashes: None) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("access") / "home") as opened:
        yield opened


def meant_for(fn: BlockFunction) -> set[str]:
    """Whom the tables mean a handler for. One of a page for everybody has to be in the table by name."""
    page = PAGES_ARE_FOR[f"/{fn.page}"]
    return HANDLERS_ARE_FOR[(fn.page, fn.name)] if ANNOTATOR in page else page


def got_through(house: House, method: str, path: str, **body: Any) -> set[str]:
    """The kinds of visitors whom the gate lets pass to a path."""
    through = set()
    for kind, client in house.visitors.items():
        answer = client.request(method, path, **body)
        # 303: to the sign-in page, or to the first page that is theirs.
        refused = answer.status_code in (303, 401, 403)
        if not refused:
            through.add(kind)
    return through


def test_every_page_is_in_the_table_and_for_whom_the_table_says(house: House) -> None:
    assert {page.PATH for page in PAGES} == PAGES_ARE_FOR.keys()
    for path, meant in PAGES_ARE_FOR.items():
        assert set(house.access.pages[path]) == meant, path
        for slash in ("", "/") if path != "/" else ("",):
            through = got_through(house, "GET", path + slash)
            assert through - {"nobody"} == meant, path + slash
            opened = house.visitors["nobody"].get(path + slash)
            assert opened.status_code in (303, 401) and "gradio" not in opened.text


def own_routes(routes: Any) -> list[tuple[str, str]]:
    found = []
    for route in routes:
        if hasattr(route, "original_router"):  # As FastAPI keeps the routers that it includes.
            found += own_routes(route.original_router.routes)
        elif isinstance(route, APIRoute):
            found += [(method, route.path) for method in sorted(route.methods - {"HEAD"})]
    return found


def test_every_route_of_ours_is_in_the_table(house: House) -> None:
    assert set(own_routes(house.application.routes)) == ROUTES_ARE_FOR.keys()
    rest = [route for route in house.application.routes if not hasattr(route, "original_router")]
    assert {getattr(route, "path", None) for route in rest} == {"/static", ""}


def test_every_route_is_for_whom_the_table_says(house: House) -> None:
    for (method, path), meant in ROUTES_ARE_FOR.items():
        if path in ("/sign-in", "/sign-out", "/account", "/account/sessions/end"):
            continue  # They answer differently to each; see below, and test_sign_in_pages.py.
        asked = path.replace("{id}", "1").replace("{chat_id}", "1").replace("{", "").replace("}", "")
        assert got_through(house, method, asked) == meant, (method, path)
    nobody = house.visitors["nobody"]
    assert nobody.get("/sign-in").status_code == 200 and nobody.post("/sign-in").status_code == 401
    assert nobody.post("/sign-out").status_code == nobody.post("/account").status_code == 401
    assert nobody.get("/account").headers["location"] == "/sign-in?next=%2Faccount"
    for kind in ANYBODY:
        assert house.visitors[kind].get("/account").status_code == 200
        assert house.visitors[kind].get("/sign-in").status_code == 303


def paths_of(routes: Any) -> set[str]:
    paths: set[str] = set()
    for route in routes:
        if hasattr(route, "original_router"):
            paths |= paths_of(route.original_router.routes)
        elif hasattr(route, "path"):
            paths.add(route.path)
    return paths


def gradios_routes(house: House) -> set[str]:
    [gradio] = [r.app for r in house.application.routes if isinstance(r, Mount) and r.path == ""]
    return paths_of(gradio.routes)  # type: ignore[attr-defined]


def test_every_route_of_gradio_is_for_those_of_the_table_or_is_not_there(house: House) -> None:
    for path, meant in GRADIO_IS_FOR.items():
        if path.startswith(("/gradio_api/heartbeat", "/gradio_api/queue/data", "/gradio_api/file")):
            roles = house.access.roles_for(path)  # A stream that does not end; a refusal by Gradio itself.
            assert {str(role) for role in roles or ()} == meant
            assert house.visitors["nobody"].get(path).status_code == 401
        else:
            assert got_through(house, "GET", path) == meant, path
            assert got_through(house, "POST", path) == meant, path
    declared = {path.partition("=")[0].rstrip("/") for path in GRADIO_IS_FOR}
    hidden = 0
    for route in gradios_routes(house):
        asked = route.replace("{api_name}", "predict").replace("{session_hash}", "abc").replace(":path", "")
        asked = asked.replace("{path_or_url}", "/etc/passwd").replace("{path}", "x.js")
        known = asked.rstrip("/") or "/"
        if known in PAGES_ARE_FOR or known.partition("=")[0] in declared or known.startswith("/static/"):
            continue
        if known == "/assets/x.js":
            continue
        hidden += 1
        for kind, client in house.visitors.items():
            for method in ("GET", "POST"):
                answer = client.request(method, asked)
                assert answer.status_code == 404, (kind, method, route, answer.status_code)
    assert hidden > 30


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/process_recording", "/gradio_api/proxy=http://169.254.169.254/latest",
        "/gradio_api/vibe-edit", "/gradio_api/vibe-code/", "/gradio_api/stream/abc", "/gradio_api/call/save",
        "/gradio_api/call/v2/save", "/gradio_api/api/predict", "/gradio_api/runs",
        "/gradio_api/run-history/connect", "/gradio_api/deep_link", "/gradio_api/openapi.json",
        "/gradio_api/custom_component/1/client/component/index.js", "/monitoring", "/monitoring/summary",
        "/login", "/dev/reload", "/docs", "/openapi.json", "/svelte/index.js", "/nothing", "/data/../users",
        "/users%2f", "/Users", "/api/statusx", "/gradio_api/queue/status", "/gradio_api/user",
    ],
)  # fmt: skip
def test_a_route_that_no_page_uses_is_not_there(house: House, path: str) -> None:
    assert house.visitors["nobody"].get(path).status_code in (303, 404)
    assert house.visitors["annotator"].get(path).status_code in (403, 404)
    assert house.visitors["annotator"].post(path).status_code in (403, 404)


def test_every_handler_runs_for_whom_its_page_is_and_for_nobody_else(house: House) -> None:
    """Each handler, called as its page's script would, through both doors, by everybody."""
    handlers = {number: fn for number, fn in house.demo.fns.items() if fn.fn is not None}
    assert len(handlers) > 40
    for number, fn in handlers.items():
        meant = meant_for(fn)
        for kind, visitor in house.visitors.items():
            body = {"data": [None] * len(fn.inputs), "fn_index": number, "session_hash": f"s-{kind}"}
            answers = [
                visitor.post("/gradio_api/run/predict", json=body),
                visitor.post(f"/gradio_api/run/{fn.api_name}", json=body),
                visitor.post("/gradio_api/queue/join", json=body),
            ]
            expected = 401 if kind == "nobody" else 403
            for answer in answers:
                assert (answer.status_code == expected) != (kind in meant), (fn.api_name, fn.page, kind)
            by_name = {"data": body["data"], "session_hash": f"s-{kind}"}
            visitor.post(f"/gradio_api/run/{fn.api_name}", json=by_name)
    for number, session in house.ran:
        assert session.removeprefix("s-") in meant_for(handlers[number])
    reached = {number: {s.removeprefix("s-") for n, s in house.ran if n == number} for number in handlers}
    light = [number for number, fn in handlers.items() if not fn.queue and reached[number]]
    assert len(light) > 15  # Those of the queue run later, and some refuse to be given nothing.
    assert all(reached[number] == meant_for(handlers[number]) for number in light)


def test_numbers_that_are_written_in_other_ways_open_no_other_door(house: House) -> None:
    [users] = [page for page in PAGES if page.PATH == "/users"]
    number = next(n for n, fn in house.demo.fns.items() if f"/{fn.page}" == users.PATH and fn.fn)
    for odd in (
        str(number),
        float(number),
        f" {number} ",
        f"+{number}",
        [number],
        {"x": number},
        True,
        None,
        -1,
    ):
        body = {"data": [], "fn_index": odd, "session_hash": "odd"}
        for address in ("/gradio_api/run/predict", "/gradio_api/queue/join"):
            answer = house.visitors["annotator"].post(address, json=body)
            assert answer.status_code in (400, 403, 404, 422), (odd, answer.status_code)
    assert not any(session == "odd" for _, session in house.ran)
    twice = f'{{"data": [], "fn_index": 0, "fn_index": {number}, "session_hash": "odd"}}'
    for content in (twice, twice.encode("utf-16")):
        answer = house.visitors["annotator"].post(
            "/gradio_api/run/predict",
            content=content,
            headers={"content-type": "application/json"},
        )
        assert answer.status_code in (400, 403, 422)


def test_functions_of_components_are_for_those_of_their_page(house: House) -> None:
    """``component_server`` runs a function by its component's number: it asks for the page as well."""
    found = [
        (block, function)
        for block in house.demo.blocks.values()
        for function in getattr(block, "server_fns", ())
    ]
    reached: list[str] = []

    def secret(value: str) -> str:
        reached.append(value)
        return "secret"

    block = next(b for b in house.demo.blocks.values() if b.page == "users" and type(b).__name__ == "HTML")
    secret._is_server_fn = True  # type: ignore[attr-defined]
    block.secret = secret  # type: ignore[attr-defined]
    body = {"data": "x", "component_id": block._id, "fn_name": "secret"}

    def call(kind: str) -> int:
        sent = {**body, "session_hash": f"c-{kind}"}
        return house.visitors[kind].post("/gradio_api/component_server", json=sent).status_code

    assert {kind: call(kind) for kind in EVERYBODY} == {
        "nobody": 401, ANNOTATOR: 403, TRAINER: 403, ADMINISTRATOR: 403,
    }  # fmt: skip
    house.access.functions[secret] = {"/users"}
    assert (call("nobody"), call(ANNOTATOR), call(TRAINER), reached) == (401, 403, 403, [])
    assert call(ADMINISTRATOR) == 200 and reached == ["x"]
    for block, function in found:
        pages = house.access.functions[access._plain(function)]
        assert f"/{block.page}" in pages
        asked = {"data": None, "component_id": block._id, "fn_name": function.__name__}
        for kind, client in house.visitors.items():
            asked["session_hash"] = f"c-{kind}"
            allowed = any(kind in PAGES_ARE_FOR[page] for page in pages)
            answer = client.post("/gradio_api/component_server", json=asked)
            assert (answer.status_code in (401, 403)) != allowed, (function.__name__, kind)


def test_a_request_that_did_not_come_through_the_gate_runs_nothing(house: House) -> None:
    with pytest.raises(KeyError):
        access.current_user(type("Request", (), {"scope": {}})())
    with pytest.raises(access.HTTPException):
        access._require(type("Request", (), {"scope": {}})(), lambda _: {"/"}, access.EVERYONE)
    with pytest.raises(access.HTTPException):
        access._require(None, lambda _: {"/"}, access.EVERYONE)


def test_an_annotator_is_told_nothing_of_other_pages(house: House) -> None:
    for path in ("/", "/account"):
        shown = house.visitors[ANNOTATOR].get(path).text
        for other in ("/data", "/train", "/runs", "/chat", "/models", "/users", "/settings"):
            assert f'href="{other}"' not in shown
    assert 'href="/users"' not in house.visitors[TRAINER].get("/").text
    shown = house.visitors[ADMINISTRATOR].get("/").text
    assert 'href="/users"' in shown and 'id="sign-out"' in shown and ">ann</a>" in shown
    config = json.JSONDecoder().raw_decode(shown.split("window.gradio_config = ")[1])[0]
    assert {d["id"] for d in config["dependencies"]} <= {
        n for n, fn in house.demo.fns.items() if fn.page == ""
    }
