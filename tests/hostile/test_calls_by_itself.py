"""Nothing that is in use opens a connection by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from studio_core.base.studio import open_studio
from tests.browser.conftest import ROOT, cancel_all, free_port, stop_engine
from tests.conftest import PATIENCE, wait_until


@pytest.fixture(scope="module")
def listened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A real studio that nothing in its environment keeps from calling out: its address, and its calls."""
    folder, port = tmp_path_factory.mktemp("listened"), free_port()
    told = {"HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "GRADIO_ANALYTICS_ENABLED"}
    environment = {name: value for name, value in os.environ.items() if name not in told}
    command = [sys.executable, "-m", "tests.hostile.calls", str(folder / "calls"), "-m", "app"]
    command += ["--home", str(folder / "home"), "--port", str(port)]
    with open(folder / "out", "ab") as output:
        environment["TUNESMITH_WARM_WORKERS"] = "0"
        web = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: web.poll() is not None or _answers(address), what="the page answers")
        yield address, folder / "calls"
        studio = open_studio(home=folder / "home")
        cancel_all(studio)
        studio.close()
    finally:
        web.terminate()
        web.wait(PATIENCE)
        stop_engine(folder / "home")


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health", trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_nothing_in_use_opens_a_connection_that_no_one_asked_for(listened: tuple[str, Path]) -> None:
    """Every page, and all that runs by itself on it, in a process that notes each connection and each name."""
    address, calls = listened
    ran = 0
    with httpx.Client(base_url=address, trust_env=False, timeout=240) as client:
        for path in ("/", "/data", "/dataset?id=1", "/label", "/train", "/runs", "/chat", "/arena", "/models",
                     "/users", "/settings"):  # fmt: skip
            document = client.get(path).text
            config, _ = json.JSONDecoder().raw_decode(document.split("window.gradio_config = ")[1])
            for dependency in config["dependencies"]:
                by_itself = any(event in ("load", "tick") for _, event in dependency["targets"])
                if not by_itself or not dependency["backend_fn"]:
                    continue
                body = {"data": [None] * len(dependency["inputs"]), "fn_index": dependency["id"]}
                kind = "queue/join" if dependency["queue"] else "run/predict"
                query = path.partition("?")[2]
                sent = {**body, "session_hash": f"s{path.strip('/').partition('?')[0]}"}
                client.post(f"/gradio_api/{kind}?{query}", json=sent)
                ran += 1
        assert client.get("/api/status").status_code == 200
    assert ran > 20
    assert not calls.exists() or calls.read_text() == ""


def test_a_call_would_have_been_noted(tmp_path: Path) -> None:
    """The listener itself: a look-up and a connection, which it lets happen and writes down."""
    program = tmp_path / "calling.py"
    program.write_text(
        "import socket\n"
        "reach = lambda: socket.socket().connect(('203.0.113.1', 9))\n"
        "for call in (lambda: socket.getaddrinfo('evil.invalid', 80), reach):\n"
        "    socket.setdefaulttimeout(0.01)\n"
        "    try:\n"
        "        call()\n"
        "    except OSError:\n"
        "        pass\n"
    )
    command = [sys.executable, "-m", "tests.hostile.calls", str(tmp_path / "calls"), "-m", "calling"]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, timeout=240)
    noted = (tmp_path / "calls").read_text()
    assert "getaddrinfo 'evil.invalid'" in noted and "connect '203.0.113.1'" in noted
