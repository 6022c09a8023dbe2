"""A real training goes on while the page's process and the engine are killed, and is adopted again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from studio_core import training
from studio_core.base import atomic
from studio_core.base.states import TERMINAL
from studio_core.base.studio import Studio
from studio_core.data import store
from studio_core.models import registry
from studio_core.runs import engine_process, metrics, queue, run_folder
from studio_core.runs.engine_process import engine_alive
from studio_core.runs.spec import TrainSpec
from tests.conftest import wait_until

ROOT = Path(__file__).resolve().parents[2]
STEPS = 300


class Page:
    """``python -m app`` as a user starts it; it starts the engine."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "app", "--home", str(self.studio.settings.home)]
        env = {**os.environ, "TUNESMITH_WARM_WORKERS": "0", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen([*command, "--port", str(self.port)], env=env, cwd=ROOT)
        wait_until(self.answers, what="the page answers")

    def answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/health").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def page(studio: Studio) -> Iterator[Page]:
    page = Page(studio)
    yield page
    page.kill()
    if engine_alive(studio):
        kill_engine(studio)
    for job in queue.live(studio):
        record = atomic.read_json(Path(job.run_dir or "") / run_folder.SUPERVISOR)
        if record and run_folder.is_held(Path(job.run_dir or "") / run_folder.LOCK):
            os.kill(record["pid"], signal.SIGKILL)


def kill_engine(studio: Studio) -> None:
    holder = json.loads((studio.settings.home / engine_process.LOCK).read_text())
    os.kill(holder["pid"], signal.SIGKILL)
    wait_until(lambda: not engine_alive(studio), what="the engine is dead")


def test_a_training_survives_the_page_and_the_engine(studio: Studio, page: Page) -> None:
    registry.ensure_demo_models(studio)
    store.ensure_samples(studio)
    page.start()
    wait_until(lambda: engine_alive(studio), what="the page starts the engine")
    spec = TrainSpec(
        method="sft",
        model="tiny-base",
        dataset="tiny-sft-chat",
        options={"max_steps": STEPS, "batch_size": 2, "save_steps": 100},
    )
    job = training.submit(studio, spec, key="one click")
    assert training.submit(studio, spec, key="one click").id == job.id
    wait_until(lambda: queue.get(studio, job.id).step >= 10, what="it trains")

    page.kill()
    kill_engine(studio)
    events = Path(job.run_dir or "") / run_folder.EVENTS
    known = queue.get(studio, job.id).step
    wait_until(
        lambda: events.read_bytes().count(b'"type": "metrics"') > known + 10,
        what="it trains without them",
    )
    assert queue.get(studio, job.id).step == known

    page.start()
    wait_until(lambda: engine_alive(studio), what="the page starts another engine")
    wait_until(lambda: queue.get(studio, job.id).step > known, what="it is adopted")

    wait_until(lambda: queue.get(studio, job.id).state in TERMINAL, what="it ends")
    ended = queue.get(studio, job.id)
    assert (ended.state, ended.cause, ended.detail) == ("succeeded", None, None)
    points = [point for point in metrics.points(studio, job.id) if "loss" in point.values]
    assert [point.step for point in points] == list(range(1, STEPS + 1))
    states = [event.after for event in queue.events(studio, job.id)]
    assert states == ["queued", "starting", "running", "succeeded"]
    model = registry.get(studio, job.name)
    assert (model.job_id, model.kind) == (job.id, "full")
    assert (Path(model.path) / "model.safetensors").is_file()
    assert run_folder.newest_complete(Path(job.run_dir or "")) is not None
