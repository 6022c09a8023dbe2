"""Start of the page to HTTP 200, and memory of the web process.

Promised: 200 within 4 s on 2 cores, at most 250 MB, no torch.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil

REPEATS = 5


def start(home: str) -> tuple[float, float, bool]:
    """Seconds to HTTP 200, megabytes resident after the first page, and whether torch is loaded."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    begin = time.perf_counter()
    environment = {**os.environ, "TUNESMITH_WARM_WORKERS": "0"}
    command = [sys.executable, "-m", "app", "--home", home, "--port", str(port)]
    web = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read()
                break
            except OSError:
                if web.poll() is not None or time.perf_counter() - begin > 60:
                    raise
                time.sleep(0.01)
        seconds = time.perf_counter() - begin
        time.sleep(2)  # Let what starts in the background be counted too.
        resident = psutil.Process(web.pid).memory_info().rss / 1e6
        torch = "libtorch" in Path(f"/proc/{web.pid}/maps").read_text() if sys.platform == "linux" else False
        return seconds, resident, torch
    finally:
        web.terminate()
        web.wait(10)


def end_engine(home: str) -> None:
    for process in psutil.process_iter(["cmdline"]):
        if home in (process.info["cmdline"] or []):
            process.terminate()


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        first = start(home)
        print(f"first start (creates the data folder)   {first[0]:.2f} s")
        runs = [start(home) for _ in range(REPEATS)]
        end_engine(home)
    print(
        f"start to HTTP 200, median of {REPEATS}          {statistics.median(r[0] for r in runs):.2f} s (promised 4)"
    )
    print(f"memory of the web process               {max(r[1] for r in runs):.0f} MB (promised 250)")
    print(
        f"torch loaded in the web process         {'yes' if any(r[2] for r in runs) else 'no'} (promised no)"
    )


if __name__ == "__main__":
    main()
