"""What strangers write into the logs, and what the logs make of it: one line each, cut, counted and kept apart."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app import log_file
from app.guard import Guard
from app.log_file import LONGEST, logged_to_file, plain
from studio_core.base import audit
from studio_core.base.errors import BadInput
from studio_core.base.settings import Settings
from studio_core.base.studio import Studio
from studio_core.generation import services
from studio_core.people import accounts, sign_in
from tests.people import PASSWORD, cheap_hashes
from tests.unit.app.house import ANNOTATOR, House, open_house

__all__ = ["cheap_hashes"]
FORGED = "2026-01-01 00:00:00,000 INFO tunesmith.accounts sign-in of 'ann' from 127.0.0.1"


@pytest.fixture
def logs(studio: Studio) -> Iterator[Path]:
    uvicorn = logging.getLogger("uvicorn.error")
    level = uvicorn.level
    uvicorn.setLevel(logging.INFO)  # Servers that other tests of this process ran have made it quiet.
    with logged_to_file(studio.settings):
        yield studio.settings.logs
    uvicorn.setLevel(level)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, cheap_hashes: None) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("log") / "home") as opened:
        yield opened


@pytest.mark.parametrize(
    "sign",
    ["\n", "\r", "\r\n", "\v", "\f", "\x1b[2J", "\x00", "\x85", "\u2028", "\u2029", "\u202e", "\ud800", "\t"],
    ids=ascii,
)
def test_no_sign_begins_a_line_or_moves_the_cursor(logs: Path, sign: str) -> None:
    for logger in ("tunesmith.web", "tunesmith.accounts", "uvicorn.error"):
        logging.getLogger(logger).warning("refused %s", f"/x{sign}{FORGED}")
    for name, entries in (("web.log", 2), ("audit.log", 1)):
        written = (logs / name).read_bytes().decode()
        assert len(written.splitlines()) == entries
        assert all(FORGED in line and not line.startswith(FORGED) for line in written.splitlines())
        assert all(letter.isprintable() for letter in written.replace("\n", ""))


def test_an_address_forges_no_sign_in(logs: Path) -> None:
    async def never(*_: object) -> None:
        raise AssertionError

    client = TestClient(Guard(never, Settings()), base_url="http://127.0.0.1:7860")
    client.get(f"/%0A{FORGED}", headers={"host": "evil.example"})
    client.get(f"/%0D%0A{FORGED}", headers={"sec-fetch-site": "cross-site"})
    lines = (logs / "web.log").read_text().splitlines()
    assert len(lines) == 2 and not any(line.startswith(FORGED) for line in lines)


def test_a_name_forges_no_sign_in(logs: Path, studio: Studio, cheap_hashes: None) -> None:
    with pytest.raises(BadInput):
        sign_in.sign_in(studio, f"x\n{FORGED}", "wrong", "127.0.0.1\n" + FORGED)
    [line] = (logs / "audit.log").read_text().splitlines()
    assert "refused" in line


def test_an_entry_is_cut(logs: Path) -> None:
    logging.getLogger("tunesmith.web").warning("refused %s", "a" * 8_000_000)
    assert (logs / "web.log").stat().st_size < LONGEST + 200
    assert plain("b" * (LONGEST + 7)).endswith("… (7 more)")


def test_lines_of_a_trace_pass_for_no_entry(logs: Path) -> None:
    try:
        raise RuntimeError(f"first\n{FORGED}\x1b[2J")
    except RuntimeError:
        logging.getLogger("tunesmith.web").exception("failed")
    written = (logs / "web.log").read_text()
    assert "RuntimeError: first" in written and "\x1b" not in written
    assert [line for line in written.splitlines() if not line.startswith("    ")] == written.splitlines()[:1]


def test_files_are_moved_aside_and_the_oldest_goes(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "SIZE", 1000)
    monkeypatch.setattr(log_file, "LONGEST", 100)
    for number in range(200):
        logging.getLogger("tunesmith.web").error("entry %d %s", number, "x" * 80)
        logging.getLogger("tunesmith.accounts").error("entry %d %s", number, "x" * 80)
    web = sorted(logs.glob("web.log*"))
    assert len(web) == 1 + log_file.WEB_KEPT
    assert len(sorted(logs.glob("audit.log*"))) == 1 + log_file.AUDIT_KEPT
    assert all(file.stat().st_size < 1400 for file in web)
    assert "entry 199 " in (logs / "web.log").read_text() and not any(
        "entry 3 " in f.read_text() for f in web
    )


def test_two_processes_share_a_file_that_one_moves_aside(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "SIZE", 500)
    first = log_file.SizedFile(studio.settings.logs / "web.log", 50)
    second = log_file.SizedFile(studio.settings.logs / "web.log", 50)
    for number in range(40):
        for handler in (first, second):
            handler.emit(logging.makeLogRecord({"msg": f"entry {number} of {id(handler)}", "levelno": 30}))
    first.close()
    second.close()
    written = "".join(file.read_text() for file in studio.settings.logs.glob("web.log*"))
    assert all(written.count(f"entry {n} of {id(h)}\n") == 1 for n in range(40) for h in (first, second))


def test_a_flood_of_refusals_is_counted_and_not_written_out(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(log_file.time, "monotonic", lambda: now[0])
    with logged_to_file(Settings(home=logs.parent)):
        before = len((logs / "web.log").read_text().splitlines())
        for _ in range(5000):
            logging.getLogger("tunesmith.web").warning("refused")
        now[0] += 10
        logging.getLogger("tunesmith.web").warning("refused")
    written = (logs / "web.log").read_text().splitlines()[before:]
    assert len(written) < 3 * log_file.REFUSALS and "before it)" in written[-1]


def test_both_files_are_for_their_owner_only(logs: Path) -> None:
    audit.note("something")
    logging.getLogger("tunesmith.web").warning("something")
    assert {(logs / name).stat().st_mode & 0o777 for name in ("web.log", "audit.log")} == {0o600}


def test_the_audit_log_tells_who_did_what(logs: Path, studio: Studio, cheap_hashes: None) -> None:
    token = audit.WHO.set("ann\nroot")
    accounts.add(studio, "ann", "administrator", PASSWORD)
    accounts.add(studio, "lea", "annotator", PASSWORD)
    accounts.set_role(studio, "lea", "trainer")
    accounts.set_disabled(studio, "lea", True)
    accounts.set_password(studio, "lea", "another good phrase")
    sign_in.sign_in(studio, "ann", PASSWORD, "10.0.0.5")
    services.add(studio.settings.home / services.FILE, "hosted", "https://a.example/v1", "m")
    services.remove(studio.settings.home / services.FILE, "hosted")
    audit.WHO.reset(token)
    written = (logs / "audit.log").read_text().splitlines()
    for what in (
        "'lea' added",
        "'lea' is trainer",
        "'lea' disabled",
        "password of",
        "sign-in of 'ann'",
        "deleted",
    ):
        assert any(what in line and line.endswith("(by ann\\nroot)") for line in written), what
    assert "ann" not in (logs / "web.log").read_text()


WRONG: dict[str, object] = {
    "a list": [1], "an object": {"a": 1}, "a number": 10**9, "a long text": "x" * 9000, "true": True,
    "a fraction": 0.5, "another language": "任何",
}  # fmt: skip


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG.keys())
def test_values_that_no_component_takes_leave_no_trace(
    house: House, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, value: object
) -> None:
    for number, fn in house.demo.fns.items():
        if fn.fn is None or fn.queue or f"/{fn.page}" != "/label":
            continue
        for inputs in ([value] * len(fn.inputs), [value] * 50, []):
            body = {"data": inputs, "fn_index": number, "session_hash": "odd"}
            house.visitors[ANNOTATOR].post("/gradio_api/run/predict", json=body)
    said = capfd.readouterr()
    assert "Traceback" not in said.out + said.err
    assert not [record for record in caplog.records if record.exc_info]
