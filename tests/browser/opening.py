"""What opening a page costs a reader: how far things jump, how long the main thread works, when content is there.

Machines are shared, so that main-thread time is processor time (Chromium's own count of its tasks, in thread
ticks), and is told beside that of a bare Gradio page on the same machine in the same run.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from playwright.sync_api import Browser, BrowserContext, CDPSession

from studio_core.base.studio import Studio
from studio_core.chat import chats
from studio_core.chat.chats import ChatSettings
from studio_core.labeling import items, projects
from studio_core.labeling.items import Answer, NewItem
from tests.bench import seeded

SHIFT = 0.05
"""Most that the content of a page may jump (cumulative layout shift); 0.1 is what Google calls good."""
MAIN_THREAD = 0.8
"""Promised seconds of main-thread time for opening a page."""
QUIET = 0.6
"""A page is open once its main thread has had less than ``_IDLE`` to do for so many seconds."""
_IDLE = 0.06
_LONGEST = 25.0

# Content is text of the page itself (not of the navigation) that stands there, whoever drew it. A shift that
# follows what a person did is not counted, as the measure is defined.
_WATCH = """
window.opening = { shift: 0, content: 0, from: [] };
new PerformanceObserver((list) => {
	for (const one of list.getEntries()) {
		if (one.hadRecentInput) continue;
		window.opening.shift += one.value;
		for (const source of one.sources) {
			const node = source.node?.nodeType === 1 ? source.node : source.node?.parentElement;
			const name = node?.closest?.("[id]")?.id || node?.className || "?";
			const [before, after] = [source.previousRect.y, source.currentRect.y].map(Math.round);
			window.opening.from.push(`${one.value.toFixed(3)} ${name} ${before} > ${after}`);
		}
	}
}).observe({ type: "layout-shift", buffered: true });
(function look() {
	const content = document.querySelector("#ts-content, gradio-app");
	const early = document.querySelector("#ts-early"); // What the server drew; no script can look into it.
	if (early?.offsetHeight > 40 || content?.innerText?.trim().length > 40) window.opening.content = performance.now();
	else requestAnimationFrame(look);
})();
"""


@dataclass(frozen=True)
class Opening:
    """One opening of a page."""

    shift: float
    """Cumulative layout shift."""
    seconds: float
    """Main-thread time until it was quiet, as processor time."""
    content: float
    """Milliseconds until there was something to read."""
    requests: list[str]
    from_where: list[str]
    """What jumped: by how much, and where from and to."""


def opening(
    browser: Browser, url: str, *, cookies: dict[str, str] | None = None, width: int = 1280
) -> Opening:
    """Open a page in a browser that has nothing of it, and wait until it is quiet."""
    context = browser.new_context(locale="en-US", viewport={"width": width, "height": 860})
    try:
        for name, value in (cookies or {}).items():
            context.add_cookies([{"name": name, "value": value, "url": url}])
        return _opened(context, url)
    finally:
        context.close()


def _opened(context: BrowserContext, url: str) -> Opening:
    tab = context.new_page()
    requests: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.add_init_script(_WATCH)
    session = context.new_cdp_session(tab)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    tab.goto(url)
    tab.locator(".gradio-container main, [data-page]").first.wait_for()
    seconds = _quiet(session)
    told = tab.evaluate("window.opening")
    return Opening(told["shift"], seconds, told["content"], requests, told["from"])


def _quiet(session: CDPSession) -> float:
    """Seconds of main-thread time, once there is no more."""
    begin, before, since = time.monotonic(), -1.0, 0.0
    while time.monotonic() - begin < _LONGEST:
        now = _busy(session)
        if now - before > _IDLE:
            before, since = now, time.monotonic()
        elif time.monotonic() - since > QUIET:
            return now
        time.sleep(0.1)
    return _busy(session)


def _busy(session: CDPSession) -> float:
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"])


def furnish(studio: Studio) -> dict[str, str]:
    """Fill a studio with something to see on every page; the addresses to open, by name."""
    run = seeded.fill(studio, jobs=30, waiting=4, long_runs=1, rows=2_000)[0]
    project = projects.create(studio, "kind-answers", guidelines="Prefer *facts*.", settings={"votes": 1})
    items.add(
        studio,
        project.id,
        [
            NewItem(
                [{"role": "user", "content": f"Question {n}?"}],
                [Answer(f"**Short** answer {n}.", "one"), Answer(f"A longer answer {n}.", "other")],
            )
            for n in range(20)
        ],
    )
    chat = chats.start(studio, ["tiny-base", "tiny-chat"], ChatSettings())
    row = chats.add_round(studio, chat, "What is one plus one?", ChatSettings())
    said = [{**answer, "answer": "One and one is **two**.", "state": "stop"} for answer in row.answers]
    chats.save_answers(studio, row.id, said)
    return {
        "Home": "/",
        "Data": "/data",
        "Dataset": "/dataset?id=1",
        "Label": "/label",
        "Label, a project": f"/label?project={project.id}",
        "Train": "/train",
        "Train, a recipe": "/train?dataset=identity-pairs&model=tiny-chat&method=dpo",
        "Runs": "/runs",
        "A run": f"/runs?run={run}",
        "Chat": "/chat",
        "Chat, a conversation": f"/chat?chat={chat.id}",
        "Arena": "/arena",
        "Models": "/models",
        "Users": "/users",
        "Settings": "/settings",
    }
