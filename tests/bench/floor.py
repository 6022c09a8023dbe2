"""What a figure in seconds stands beside: the least that the same machine needs at the same moment.

Seconds of one processor say little about another one (with or without AVX-512, quiet or shared), a ratio to
these floors says much. Each floor is a process of its own, ``python -m tests.bench.floor NAME``:

    page PORT   a bare Gradio page with one text, mounted on FastAPI as ours is
    step        imports of a training, then loading the demo model and one step of AdamW; prints the seconds
                of both
    engine      the imports of the engine
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

TEXT = "A line of text that is long enough to be content of its own."


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def page() -> Iterator[tuple[str, float]]:
    """A bare Gradio page: its address, and seconds from its start to HTTP 200."""
    port = free_port()
    with answering(["-m", "tests.bench.floor", "page", str(port)], port) as (_, seconds):
        yield f"http://127.0.0.1:{port}", seconds


@contextmanager
def answering(
    command: list[str], port: int, environment: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """A web process of Python, and seconds from its start until ``/`` is answered; ended afterwards."""
    begin = time.perf_counter()
    web = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read()
                break
            except OSError:
                if web.poll() is not None or time.perf_counter() - begin > 120:
                    raise
                time.sleep(0.01)
        yield web, time.perf_counter() - begin
    finally:
        web.terminate()
        web.wait(20)


def step() -> tuple[float, float]:
    """Seconds of a bare loop from the start of Python to the end of its first step: imports, then the rest."""
    output = subprocess.check_output([sys.executable, "-m", "tests.bench.floor", "step"])
    imports, rest = json.loads(output)
    return imports, rest


def engine() -> float:
    """Seconds until a Python has imported what the engine needs."""
    begin = time.perf_counter()
    subprocess.check_call([sys.executable, "-m", "tests.bench.floor", "engine"])
    return time.perf_counter() - begin


def _serve(port: int) -> None:
    import gradio
    import uvicorn
    from fastapi import FastAPI

    with gradio.Blocks() as blocks:
        text = gradio.Markdown(TEXT)
        blocks.load(lambda: TEXT, None, text, api_name="draw")
    uvicorn.run(gradio.mount_gradio_app(FastAPI(), blocks, "/"), port=port, log_level="warning")


def _train() -> None:
    begin = time.perf_counter()
    import peft
    import torch
    import transformers
    import trl

    from studio_core.base.settings import bundled_folder

    assert peft and trl  # A training imports them, so that a bare loop that leaves them out is no floor.
    imported = time.perf_counter()
    torch.set_num_threads(1)
    folder = bundled_folder() / "models" / "tiny-base"
    transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    ids = torch.arange(16 * 64).reshape(16, 64) % 1000  # A batch of the usual size: 16 rows of 64 tokens.
    model(input_ids=ids, labels=ids).loss.backward()
    optimizer.step()
    print(json.dumps([imported - begin, time.perf_counter() - imported]))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["page", port]:
            _serve(int(port))
        case ["step"]:
            _train()
        case ["engine"]:
            import jobs.engine.loop  # noqa: F401
