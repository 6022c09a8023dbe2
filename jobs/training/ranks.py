"""One run on several GPUs: a process (a rank) for each of them, started through Accelerate.

The process that the supervisor started becomes their launcher. It passes on what the ranks cannot
hear or tell themselves: that the run is to save and end (torch's launcher would kill them at SIGTERM,
so it becomes a file that rank 0 looks for), and which rank failed first and why.

For tests ``TUNESMITH_RANKS`` gives a run that many ranks on the CPU.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from studio_core.base.atomic import read_json, write_json
from studio_core.runs.run_folder import EventWriter

FOLDER = "ranks"
"""Inside the run's folder: what launcher and ranks tell one another."""
STOP = "stop"
TEAM = "TUNESMITH_TEAM"
"""In the environment of a rank: how many there are."""
ROOT = Path(__file__).resolve().parents[2]

FSDP = (
    "--use_fsdp",
    *("--fsdp_version", "2"),
    *("--fsdp_auto_wrap_policy", "TRANSFORMER_BASED_WRAP"),
    *("--fsdp_reshard_after_forward", "true"),
    *("--fsdp_state_dict_type", "FULL_STATE_DICT"),
    *("--fsdp_cpu_ram_efficient_loading", "false"),
)
"""Weights, gradients and moments in shards, gathered a layer at a time; saved whole."""


def wanted(asked: dict[str, Any]) -> int:
    """How many ranks this process is to start for a training; 1: none, it trains itself."""
    if TEAM in os.environ:
        return 1
    return int(os.environ.get("TUNESMITH_RANKS") or asked.get("gpus", 1))


def launch(run_dir: Path, asked: dict[str, Any]) -> int:
    """Start the ranks and wait for all of them; the exit code. A signal that killed one kills this process."""
    folder = run_dir / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    signal.signal(signal.SIGTERM, lambda *_: (folder / STOP).touch())
    from accelerate.commands.launch import multi_gpu_launcher
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    count = wanted(asked)
    _set_environment(count)
    try:
        multi_gpu_launcher(_arguments(run_dir, count, str(asked.get("parallel", "ddp"))))
    except ChildFailedError as error:
        return _failed(run_dir, [failure.exitcode for failure in error.failures.values()])
    return 0


def _arguments(run_dir: Path, count: int, parallel: str) -> Any:
    """Of ``accelerate launch``. Neither the user's configuration file nor a fixed port has a part in it."""
    from accelerate.commands.launch import launch_command_parser

    threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    sharding = FSDP if parallel == "fsdp" else ("--multi_gpu",)
    arguments = launch_command_parser().parse_args(
        [
            *sharding,
            *("--num_processes", str(count), "--num_machines", "1"),
            *("--num_cpu_threads_per_process", str(max(1, threads // count))),
            *("--mixed_precision", "no", "--dynamo_backend", "no"),  # The trainer sets its own.
            *("--main_process_port", "0", "--module", "jobs.worker", str(run_dir)),
        ]
    )
    arguments.standalone = True  # A free port, found by the rendezvous itself.
    arguments.local_addr = "127.0.0.1"
    arguments.signals_to_handle = "SIGQUIT"  # Not SIGTERM, which means: save.
    return arguments


def _set_environment(count: int) -> None:
    os.environ[TEAM] = str(count)
    os.environ["PYTHONSAFEPATH"] = "1"
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")


def tell(run_dir: Path, error: dict[str, Any]) -> None:
    """Of a failing rank: leave the fields of its ``error`` event to the launcher."""
    path = run_dir / FOLDER / f"error-{os.environ['RANK']}.json"
    write_json(path, {"at": time.time(), **error})


def _failed(run_dir: Path, codes: list[int]) -> int:
    """Tell how the first rank failed: the others fail because it is gone."""
    killed = [-code for code in codes if code < 0 and code != -signal.SIGTERM]
    if killed:
        print(f"A rank was killed by {signal.Signals(killed[0]).name}.", flush=True)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), killed[0])
    errors = [read_json(path) or {} for path in (run_dir / FOLDER).glob("error-*.json")]
    if errors:
        first = min(errors, key=lambda error: float(error["at"]))
        EventWriter(run_dir).write("error", **{name: first[name] for name in first if name != "at"})
    return 1


def stop_asked(run_dir: Path) -> bool:
    return (run_dir / FOLDER / STOP).exists()
