from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

from app.parts.devices_panel import drawn
from studio_core.machine.machine import DeviceNow

GPU = DeviceNow("gpu", "GPU 0: X", 37, 6_000_000_000, 24_000_000_000, 54, 61.5, ((3, "<b>mine</b>"),))


class Meters(HTMLParser):
    def __init__(self, document: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if dict(attrs).get("role") == "meter":
            self.found.append(dict(attrs))


def test_bars_say_what_they_measure() -> None:
    load, memory = Meters(drawn([GPU], "en")).found
    assert (load["aria-label"], load["aria-valuenow"], load["aria-valuetext"]) == (
        "Utilization of GPU 0: X",
        "37",
        "37%",
    )
    assert (memory["aria-valuenow"], memory["aria-valuetext"]) == ("25", "6.0 GB of 24.0 GB")
    assert (memory["aria-valuemin"], memory["aria-valuemax"]) == ("0", "100")


def test_the_run_is_a_link_and_its_name_is_text() -> None:
    page = drawn([GPU], "en")
    assert '<a href="/runs?run=3">Run 3: &lt;b&gt;mine&lt;/b&gt;</a>' in page
    assert "54 °C" in page and "62 W" in page


def test_what_is_not_known_is_a_dash_and_no_bar() -> None:
    page = drawn([DeviceNow("gpu", "GPU 0", None, None, 24)], "en")
    assert Meters(page).found == [] and page.count("–") == 4 and "free" in page


def test_why_no_run_starts_on_a_gpu() -> None:
    idle = replace(GPU, runs=())
    assert "used by other programs (5.0 GB)" in drawn([replace(idle, foreign_memory=5_000_000_000)], "en")
    assert "not responding" in drawn([replace(idle, reachable=False)], "en")
    assert "无响应" in drawn([replace(idle, reachable=False)], "zh-CN")


def test_a_processor_has_no_temperature() -> None:
    page = drawn([DeviceNow("cpu", "", 50.2, 5, 10)], "zh-CN")
    assert "CPU" in page and "温度" not in page and "50%" in page
