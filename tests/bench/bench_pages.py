"""The pages of a studio with 10,000 jobs and 10 million reports, through HTTP.

Promised: every answer (95th percentile) within 30 times what a bare Gradio page needs for a handler that
returns its text, measured in turn with each. ``BENCH_ROWS=50000`` fills less.
"""

from __future__ import annotations

import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import httpx
import uvicorn

from app.server import create_app
from studio_core.base.studio import Studio, open_studio
from studio_core.runs import metrics, queue, run_folder
from studio_core.runs.engine_process import LOCK
from tests.bench import floor
from tests.bench.seeded import fill
from tests.bench.sizes import size

JOBS, WAITING, LONG_RUNS = size("JOBS", 10_000, 100), size("WAITING", 500, 10), size("LONG_RUNS", 20, 2)
ROWS = size("ROWS", 500_000, 500)
REPEATS = size("REPEATS", 40, 3)
PROMISE = 30


class Pages:
    """A browser's requests without a browser: the page, and the handlers that its script calls."""

    def __init__(self, address: str) -> None:
        self.client = httpx.Client(base_url=address, timeout=120)

    def wait(self) -> None:
        while True:
            try:
                self.client.get("/health")
                return
            except httpx.TransportError:
                time.sleep(0.1)

    def handler(self, path: str, name: str) -> tuple[dict[str, Any], str]:
        """The handler of a page whose name begins so, as the page's own script knows it; of several sections of a
        page that have one, that which draws most."""
        document = self.client.get(path).text
        begin = document.index("window.gradio_config = ") + len("window.gradio_config = ")
        config, _ = json.JSONDecoder().raw_decode(document[begin:])
        found = [one for one in config["dependencies"] if str(one["api_name"]).startswith(name)]
        return max(found, key=lambda one: len(one["outputs"])), path.partition("?")[2]

    def call(self, handler: tuple[dict[str, Any], str], *given: Any) -> list[Any]:
        dependency, query = handler
        data = [*given, *[None] * (len(dependency["inputs"]) - len(given))]
        body = {"data": data, "fn_index": dependency["id"], "session_hash": "bench"}
        answer = self.client.post(f"/gradio_api/run/predict?{query}", json=body)
        answer.raise_for_status()
        return list(answer.json()["data"])


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        studio = open_studio(home=home, warm_workers=0)
        begin = time.perf_counter()
        runs = fill(studio, jobs=JOBS, waiting=WAITING, long_runs=LONG_RUNS, rows=ROWS)
        gigabytes = studio.settings.database.stat().st_size / 1e9
        seconds = time.perf_counter() - begin
        print(f"{JOBS:,} jobs, {LONG_RUNS * ROWS:,} reports: {gigabytes:.1f} GB, filled in {seconds:.0f} s")
        port = floor.free_port()
        run_folder.hold(
            studio.settings.home / LOCK
        )  # As if the engine were alive: the reasons to wait are whole.
        web = subprocess.Popen([sys.executable, "-m", "tests.bench.bench_pages", home, str(port)])
        try:
            pages = Pages(f"http://127.0.0.1:{port}")
            pages.wait()
            with floor.page() as (address, _):
                measure(pages, studio, runs, Beside(Pages(address)))
        finally:
            web.terminate()
            web.wait(10)
            studio.close()


def measure(pages: Pages, studio: Studio, runs: list[int], beside: Beside) -> None:
    show = beside.show
    print(f"{'':38}   p50      p95   bare   ratio of p95 to the bare page's median (promised {PROMISE})")
    for path in ("/", "/runs", f"/runs?run={runs[0]}"):
        show(f"document {path}", lambda path=path: pages.client.get(path))
    show("/api/status", lambda: pages.client.get("/api/status"))
    home = pages.handler("/", "draw")
    show("start page, drawn", lambda: pages.call(home))
    for query in ("", "?before=5000", "?show=failed", "?show=going"):
        opened = pages.handler(f"/runs{query}", "opened")
        show(f"list of runs {query}", lambda opened=opened: pages.call(opened))
    listed = pages.handler("/runs", "listed")
    show("list of runs, a tick", lambda: pages.call(listed))
    waiting = pages.handler("/runs", "waiting")
    show("the queue's panel", lambda: pages.call(waiting))
    handlers = [pages.handler(f"/runs?run={run}", "opened") for run in runs]
    turns = itertools.cycle(handlers)
    show("one run's page, opened", lambda: pages.call(next(turns)))
    compared = ",".join(map(str, runs))
    for by in ("step", "time"):
        query = f"/runs?compare={compared}&by={by}"
        handler = pages.handler(query, "compare")
        show(f"{len(runs)} runs compared by {by}", lambda handler=handler: pages.call(handler))
    show("document of that", lambda: pages.client.get(query))
    cursor = next(part for part in pages.call(handlers[0]) if str(part).startswith(f"{runs[0]}|"))
    watched = pages.handler(f"/runs?run={runs[0]}", "watched")
    show("one run's page, a tick", lambda: pages.call(watched, cursor))
    begin = time.perf_counter()
    count = len(metrics.points(studio, runs[1]))
    print(f"for comparison: all {count:,} reports of one run, read: {time.perf_counter() - begin:.1f} s")
    print(f"jobs in the table: {sum(queue.counts(studio, 'train').values()):,}")


class Beside:
    """Measures requests in turn with a handler of a bare Gradio page that returns its text."""

    def __init__(self, bare: Pages) -> None:
        handler = bare.handler("/", "draw")
        self._bare = lambda: bare.call(handler)

    def show(self, name: str, request: Callable[[], object]) -> None:
        request()
        pairs = [(milliseconds(request), milliseconds(self._bare)) for _ in range(REPEATS)]
        taken, bare = zip(*pairs, strict=True)
        worst, floor_ms = statistics.quantiles(taken, n=20)[-1], statistics.median(bare)
        ratio = worst / floor_ms
        missed = "  MISSED" if ratio > PROMISE else ""
        print(
            f"{name:38} {statistics.median(taken):5.0f} ms {worst:5.0f} ms {floor_ms:5.1f}  {ratio:6.1f}{missed}",
            flush=True,
        )


def milliseconds(request: Callable[[], object]) -> float:
    begin = time.perf_counter()
    request()
    return 1000 * (time.perf_counter() - begin)


def serve(home: str, port: int) -> None:
    """The page alone, without its engine."""
    studio = open_studio(home=home, warm_workers=0)
    uvicorn.run(create_app(studio), host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(sys.argv[1], int(sys.argv[2]))
    else:
        main()
