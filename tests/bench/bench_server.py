"""Start of the page to HTTP 200, beside a bare Gradio page started in turn with it; memory of the web process.

Promised: at most twice the bare page's time to HTTP 200, at most 250 MB, no torch.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.bench import floor
from tests.bench.processes import end_all
from tests.bench.sizes import size

REPEATS = size("REPEATS", 5, 1)


@dataclass
class Start:
    seconds: float
    """To HTTP 200."""
    megabytes: float
    """Resident after the first page."""
    torch: bool


def start(home: str) -> Start:
    port = floor.free_port()
    environment = {**os.environ, "TUNESMITH_WARM_WORKERS": "0"}
    command = ["-m", "app", "--home", home, "--port", str(port)]
    with floor.answering(command, port, environment) as (web, seconds):
        time.sleep(2)  # Let what starts in the background be counted too.
        resident = psutil.Process(web.pid).memory_info().rss / 1e6
        torch = "libtorch" in Path(f"/proc/{web.pid}/maps").read_text() if sys.platform == "linux" else False
        return Start(seconds, resident, torch)


def main() -> None:
    bare, starts = [], []
    with tempfile.TemporaryDirectory() as home:
        print(f"first start (creates the data folder)   {start(home).seconds:.2f} s")
        for _ in range(REPEATS):
            with floor.page() as (_, seconds):
                bare.append(seconds)
            starts.append(start(home))
        end_all(Path(home))
    ours, theirs = statistics.median(one.seconds for one in starts), statistics.median(bare)
    print(f"start to HTTP 200, median of {REPEATS}          {ours:.2f} s")
    print(f"a bare Gradio page, median of {REPEATS}         {theirs:.2f} s")
    print(f"studio / bare page                      {ours / theirs:.2f} (promised 2.0)")
    print(f"memory of the web process               {max(s.megabytes for s in starts):.0f} MB (promised 250)")
    print(
        f"torch loaded in the web process         {'yes' if any(s.torch for s in starts) else 'no'} (promised no)"
    )


if __name__ == "__main__":
    main()
