"""Twenty annotators on 100,000 pairs: how long a vote takes, and a key press in a real browser.

Promised: from the key press to the next pair on the screen at most 100 ms (95th percentile), and no pair
given to more people than are wanted. ``BENCH_SECONDS=60 BENCH_PAIRS=5000 BENCH_THINK=0`` asks for less.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from studio_core.base.studio import open_studio
from tests.bench.labeling_load import Load, cookies, fill
from tests.bench.sizes import size
from tests.browser.conftest import FLAGS, find_chromium, free_port, start_web, stop_engine

SECONDS = size("SECONDS", 600, 5)
PAIRS = size("PAIRS", 100_000, 1_000)
THINK = size("THINK", 12, 1)
PEOPLE = size("PEOPLE", 20, 4)

# From the key press to the frame in which the next pair is painted.
_WATCH = """() => {
    window.presses = [];
    let pressed = 0;
    document.addEventListener('keydown', (event) => { pressed = event.timeStamp; }, true);
    new MutationObserver(() => requestAnimationFrame(() => {
        if (pressed) window.presses.push(performance.now() - pressed);
        pressed = 0;
    })).observe(document.querySelector('[data-part=number]'), { childList: true, characterData: true, subtree: true });
}"""


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        home, port = Path(folder) / "home", free_port()
        studio = open_studio(home=home)
        began = time.monotonic()
        project = fill(studio, PAIRS, PAIRS // 2, PEOPLE)
        known = cookies(studio, PEOPLE + 1, port)
        print(f"{PAIRS:,} pairs, half of them judged, filled in {time.monotonic() - began:.0f} s", flush=True)
        web = start_web(home, port, TUNESMITH_WARM_WORKERS="1")
        address = f"http://127.0.0.1:{port}"
        load = Load(studio, address, project, known[:PEOPLE], SECONDS, THINK)
        work = threading.Thread(target=load.run)
        try:
            presses, loads = _with_browser(address, known[PEOPLE], project, work)
        finally:
            if work.ident is not None:  # It has begun.
                work.join()
            web.terminate()
            web.wait(20)
            stop_engine(home)
            studio.close()
    print(f"{PEOPLE} annotators, {THINK:g} s a verdict, {SECONDS} s")
    print(f"load of the machine {statistics.mean(loads):.1f} on {os.cpu_count()} cores, its own in it")
    for name, times in sorted(load.times.items()):
        print(f"{name:>6} {_line(times)}")
    print(f"key press to the next pair in Chromium {_line([ms / 1000 for ms in presses])}")
    print("\n".join(load.failures) or "no pair given twice, no vote lost")
    return 1 if load.failures else 0


def _with_browser(
    address: str, cookie: dict[str, str], project: int, work: threading.Thread
) -> tuple[list[float], list[float]]:
    """One more annotator, in Chromium, while the others work: milliseconds of each key press, and loads meanwhile."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        context = chromium.new_context(viewport={"width": 1280, "height": 900})
        context.add_cookies(
            [{"name": name, "value": value, "url": address} for name, value in cookie.items()]
        )
        page = context.new_page()
        page.goto(f"{address}/label?project={project}")
        page.locator("#label-screen-body [data-part=task]").wait_for()
        page.evaluate(_WATCH)
        work.start()
        measured = _press(page, work)
        chromium.close()
        return measured


def _press(page: Page, work: threading.Thread) -> tuple[list[float], list[float]]:
    turn, loads = 0, []
    while work.is_alive():
        before = page.evaluate("window.presses.length")
        page.keyboard.press("1234"[turn % 4])
        page.wait_for_function(f"window.presses.length > {before}")
        page.wait_for_timeout(1000)
        loads.append(os.getloadavg()[0])
        turn += 1
    return list(page.evaluate("window.presses")), loads


def _line(times: list[float]) -> str:
    if len(times) < 2:
        return "-"
    ms = sorted(1000 * one for one in times)
    p95, p99 = (ms[min(len(ms) - 1, int(share * len(ms)))] for share in (0.95, 0.99))
    middle = statistics.median(ms)
    return f"n {len(ms):6,}  median {middle:6.1f} ms  p95 {p95:6.1f}  p99 {p99:6.1f}  worst {ms[-1]:6.1f}"


if __name__ == "__main__":
    sys.exit(main())
