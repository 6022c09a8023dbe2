"""Nobody makes the server call out by what is sent to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.hostile.calls import listen
from tests.people import cheap_hashes
from tests.unit.app.house import ANNOTATOR, TRAINER, House, open_house

__all__ = ["cheap_hashes"]

META = {"_type": "gradio.FileData"}
METADATA = "http://169.254.169.254/latest/meta-data"
_made: list[str] = []
_listens: list[bool] = []


@pytest.fixture
def calls() -> list[str]:
    """What leaves this machine from now on."""
    if not _listens:
        listen(_made.append)
        _listens.append(True)
    _made.clear()
    return _made


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, cheap_hashes: None) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("calls") / "home") as opened:
        yield opened


def nested(part: Any, depth: int) -> Any:
    for _ in range(depth):
        part = {"value": [part]}
    return part


FILES: dict[str, Any] = {
    "a page": {"path": "http://evil.example/x", "meta": META},
    "a page by its name only": {"path": "https://evil.example", "url": "https://evil.example", "meta": META},
    "the machine's own data": {"path": METADATA, "meta": META},
    "this machine": {"path": "http://127.0.0.1:22/", "meta": META},
    "this machine as a number": {"path": "http://2130706433/", "meta": META},
    "another scheme": {"path": "ftp://evil.example/x", "meta": META},
    "a file": {"path": "/etc/passwd", "meta": META},
    "the key": {"path": "../secret.key", "meta": META},
    "a share": {"path": "\\\\evil.example\\share\\x", "meta": META},
    "an address only": {"url": "http://evil.example/x"},
    "a path only": {"path": "http://evil.example/x"},
    "a mark only": {"meta": META},
    "a stream": {"path": "http://evil.example/x", "is_stream": True, "meta": META},
    "in a list": [[{"path": "http://evil.example/x", "meta": META}]],
    "in an object": {"a": {"b": {"path": "http://evil.example/x", "meta": META}}},
    "two hundred deep": nested({"path": "http://evil.example/x", "meta": META}, 200),
    "as a part of a message": {"role": "user", "content": {"file": {"path": METADATA, "meta": META}}},
    "as a picture": {"image": {"url": METADATA, "path": None, "meta": META}},
}


@pytest.mark.parametrize("file", FILES.values(), ids=FILES.keys())
def test_a_file_in_an_input_is_refused_in_front_of_all_handlers(
    house: House, calls: list[str], file: Any
) -> None:
    page = {ANNOTATOR: "/label", TRAINER: "/dataset"}
    for kind, visitor in ((kind, house.visitors[kind]) for kind in page):
        fns = [fn for fn in house.demo.fns.values() if f"/{fn.page}" == page[kind] and fn.fn and fn.inputs][
            :5
        ]
        for fn in fns:
            inputs = [file] * len(fn.inputs)
            body = {"data": inputs, "fn_index": fn._id, "session_hash": f"f-{kind}"}
            for path in ("run/predict", "queue/join"):
                answer = visitor.post(f"/gradio_api/{path}", json=body)
                assert answer.status_code == 403 and "Files are not taken" in answer.text
        hidden = {"data": [], "event_data": file, "fn_index": fns[0]._id, "session_hash": f"f-{kind}"}
        assert visitor.post("/gradio_api/run/predict", json=hidden).status_code == 403
        call = {"data": file, "component_id": 1, "fn_name": "x", "session_hash": f"f-{kind}"}
        assert visitor.post("/gradio_api/component_server", json=call).status_code == 403
    assert calls == []


@pytest.mark.parametrize(
    "path",
    [
        "file=http://evil.example/x", "file=//evil.example/x", "file/http://evil.example/x",
        f"proxy={METADATA}", "upload", "upload_progress?upload_id=x", "process_recording", "vibe-edit",
        "run-history/connect", "deep_link?session_hash=x",
    ],
)  # fmt: skip
def test_no_address_of_gradio_fetches_another(house: House, calls: list[str], path: str) -> None:
    for method in ("GET", "POST"):
        answer = house.visitors[TRAINER].request(method, f"/gradio_api/{path}")
        assert answer.status_code in (400, 403, 404, 405, 422), answer.status_code
    assert calls == []
