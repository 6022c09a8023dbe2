"""The page as a process: its start, its refusals, and attacks over a real socket."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from studio_core.base.studio import open_studio
from studio_core.models import registry
from studio_core.runs.engine_process import engine_alive
from tests.browser.conftest import ROOT, free_port, start_web, stop_engine
from tests.conftest import wait_until


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path, subprocess.Popen[bytes]]]:
    home, port = tmp_path_factory.mktemp("web") / "home", free_port()
    process = start_web(home, port, TUNESMITH_MAX_UPLOAD_MB="2")
    yield port, home, process
    process.terminate()
    process.wait(240)
    stop_engine(home)


def ask(port: int, request: bytes, more: bytes = b"", times: int = 0) -> str:
    """The status line that a raw request gets; ``more`` is sent after it, so many times."""
    with socket.create_connection(("127.0.0.1", port), timeout=240) as connection:
        connection.sendall(request)
        try:
            for _ in range(times):
                connection.sendall(more)
            connection.sendall(b"0\r\n\r\n" if times else b"")
        except (BrokenPipeError, ConnectionResetError):
            pass  # Refused in the middle, as it should be: the answer is there to be read.
        return connection.recv(4096).decode().partition("\r\n")[0]


def head_of(port: int, request: str) -> str:
    """Status line and headers of the answer to a raw request."""
    with socket.create_connection(("127.0.0.1", port), timeout=240) as connection:
        connection.sendall(request.encode())
        return connection.recv(8192).decode().partition("\r\n\r\n")[0]


def test_a_studio_starts_with_models_and_an_engine(web: tuple[int, Path, subprocess.Popen[bytes]]) -> None:
    port, home, process = web
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=240) as page:
        assert page.status == 200
    studio = open_studio(home=home)
    wait_until(lambda: engine_alive(studio), what="the engine is alive")
    assert {model.name for model in registry.all_models(studio)} >= {"tiny-base", "tiny-chat"}
    studio.close()
    if sys.platform == "linux":
        assert "libtorch" not in Path(f"/proc/{process.pid}/maps").read_text()
    assert psutil.Process(process.pid).memory_info().rss < 300e6
    assert f"http://127.0.0.1:{port}" in (home / "web.out").read_text()


def test_a_second_studio_on_the_same_port_is_refused(web: tuple[int, Path, subprocess.Popen[bytes]]) -> None:
    port, home, _ = web
    second = subprocess.run(
        [sys.executable, "-m", "app", "--home", str(home), "--port", str(port)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert second.returncode == 2
    assert len(second.stderr.strip().splitlines()) == 1
    assert f"Port {port} is in use" in second.stderr and "--port" in second.stderr


def test_an_address_that_others_reach_is_refused(tmp_path: Path) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "app", "--home", str(tmp_path), "--host", "0.0.0.0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert refused.returncode == 2
    assert "accounts" in refused.stderr and "Traceback" not in refused.stderr


def test_with_accounts_it_listens_to_others_and_believes_its_proxy(tmp_path: Path) -> None:
    """A real server on all addresses: names, the proxy's word, the cookie over https, and who is noted."""
    home, port, public = tmp_path / "home", free_port(), "studio.example.org"
    command = [sys.executable, "-m", "app", "--home", str(home), "users", "add", "ann"]
    command += ["--role", "administrator", "--password-stdin"]
    subprocess.run(command, cwd=ROOT, input=b"correct horse battery\n", check=True, capture_output=True)
    known = {"TUNESMITH_ALLOWED_HOSTS": public, "TUNESMITH_TRUSTED_PROXY": "127.0.0.1"}
    web = start_web(home, port, TUNESMITH_HOST="0.0.0.0", **known)
    try:
        assert " 400 " in head_of(port, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        door = head_of(port, f"GET /data HTTP/1.1\r\nHost: {public}\r\n\r\n")
        assert " 303 " in door and "location: /sign-in?next=%2Fdata" in door
        form = "name=ann&password=correct+horse+battery"
        head = f"POST /sign-in HTTP/1.1\r\nHost: {public}\r\nContent-Length: {len(form)}\r\n"
        head += f"Content-Type: application/x-www-form-urlencoded\r\nOrigin: https://{public}\r\n"
        # It did not arrive by https, whatever the page says that sends it.
        assert " 403 " in head_of(port, f"{head}\r\n{form}")
        proxied = "X-Forwarded-Proto: https\r\nX-Forwarded-For: 10.1.2.3\r\n"
        entered = head_of(port, f"{head}{proxied}\r\n{form}")
        assert " 303 " in entered and f"set-cookie: __Host-tunesmith-{port}=" in entered
        assert "; Secure" in entered
        log = (home / "logs" / "audit.log").read_text()
        assert "sign-in of 'ann' from 10.1.2.3" in log and "correct" not in log
    finally:
        web.terminate()
        web.wait(240)
        stop_engine(home)


def test_names_rebound_to_this_machine_are_refused(web: tuple[int, Path, subprocess.Popen[bytes]]) -> None:
    assert " 400 " in ask(web[0], b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    assert " 200 " in ask(web[0], b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")


def test_a_body_that_will_not_do_is_refused_in_a_sentence(
    web: tuple[int, Path, subprocess.Popen[bytes]],
) -> None:
    for body in (
        '{"item": 1, "verdict": "left", "rating": NaN}',
        '{"item": 1, "verdict": "\\ud83d", "x": 1}',
        "{",
    ):
        answer = httpx.post(
            f"http://127.0.0.1:{web[0]}/api/label/1/vote",
            content=body,
            headers={"Content-Type": "application/json"},
            trust_env=False,
        )
        assert answer.status_code == 422 and "Invalid request" in answer.json()["error"], answer.text


def test_a_cross_site_upload_is_refused(web: tuple[int, Path, subprocess.Popen[bytes]]) -> None:
    head = b"POST /api/uploads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
    assert " 403 " in ask(web[0], head + b"Origin: http://evil.example\r\n\r\n")
    assert " 403 " in ask(web[0], head + b"Sec-Fetch-Site: cross-site\r\n\r\n")


def test_oversize_uploads_are_refused_announced_or_not(
    web: tuple[int, Path, subprocess.Popen[bytes]],
) -> None:
    port, home, _ = web
    head = b"PUT /api/uploads/" + b"0" * 32 + b"?offset=0 HTTP/1.1\r\nHost: localhost\r\n"
    assert " 413 " in ask(port, head + b"Content-Length: 30000000\r\n\r\n")
    begin = head + b"Transfer-Encoding: chunked\r\n\r\n"
    chunk = b"100000\r\n" + b"a" * 0x100000 + b"\r\n"
    assert " 413 " in ask(port, begin, chunk, times=30)
    stored = sum(file.stat().st_size for file in (home / "uploads").rglob("*") if file.is_file())
    assert stored < 5 << 20


def test_the_page_ends_when_asked_and_the_engine_stays(tmp_path: Path) -> None:
    home, port = tmp_path / "home", free_port()
    process = start_web(home, port)
    studio = open_studio(home=home)
    wait_until(lambda: engine_alive(studio), what="the engine is alive")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/gradio_api/heartbeat/abc", timeout=240) as held:
        process.terminate()
        process.wait(240)  # A stream that is held open would keep it for ever.
        held.close()
    assert engine_alive(studio)
    studio.close()
    stop_engine(home)
    lock = home / "engine.lock"
    if text := lock.read_text().strip():
        wait_until(lambda: not psutil.pid_exists(json.loads(text)["pid"]), what="the engine ended")
