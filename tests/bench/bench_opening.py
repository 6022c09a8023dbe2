"""What each page costs the browser that opens it: main-thread time, jumps, and when there is something to read.

Promised: no page jumps by more than 0.05, and none takes more than 0.8 s of the main thread. The floor is a
Gradio page with one line of Markdown, opened between our own. ``python -m tests.bench.bench_opening [PAGE ...]``
opens only those whose names begin so, and tells what jumped.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from studio_core.base.studio import open_studio
from tests.bench import floor
from tests.bench.processes import end_all
from tests.bench.sizes import size
from tests.browser.conftest import FLAGS, find_chromium, free_port, start_web
from tests.browser.opening import MAIN_THREAD, SHIFT, Opening, furnish, opening

REPEATS = size("REPEATS", 3, 1)
PAGES = size("PAGES", 99, 2)


def main(wanted: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        home, port = Path(folder) / "home", free_port()
        studio = open_studio(home=home)
        pages = furnish(studio)
        web = start_web(home, port)
        try:
            with floor.page() as (bare, _), sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
                chosen = {
                    name: path
                    for name, path in list(pages.items())[:PAGES]
                    if not wanted or any(name.startswith(one) for one in wanted)
                }
                return _measure(browser, f"http://127.0.0.1:{port}", f"{bare}/", chosen, bool(wanted))
        finally:
            web.terminate()
            web.wait(20)
            end_all(home)
            studio.close()


def _measure(browser: Browser, studio: str, bare: str, pages: dict[str, str], more: bool) -> int:
    floors = [opening(browser, bare).seconds for _ in range(REPEATS)]
    print(f"{'':24} main thread   to floor   jumps   content   requests", flush=True)
    missed = 0
    for name, path in pages.items():
        openings = [opening(browser, studio + path) for _ in range(REPEATS)]
        floors.append(opening(browser, bare).seconds)
        seconds = statistics.median(one.seconds for one in openings)
        shift = max(one.shift for one in openings)
        content = statistics.median(one.content for one in openings)
        late = " MISSED" if shift > SHIFT or seconds > MAIN_THREAD else ""
        missed += bool(late)
        print(
            f"{name:24} {seconds:8.2f} s {seconds / statistics.median(floors):9.1f} {shift:9.3f}"
            f" {content:6.0f} ms {len(openings[0].requests):8}{late}",
            flush=True,
        )
        if more:
            print("\n".join(f"    {line}" for line in _worst(openings).from_where))
    print(f"the floor, a bare Gradio page: {statistics.median(floors):.2f} s (of {len(floors)})")
    print(f"missed: {missed} of {len(pages)}")
    return 0


def _worst(openings: list[Opening]) -> Opening:
    return max(openings, key=lambda one: one.shift)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
