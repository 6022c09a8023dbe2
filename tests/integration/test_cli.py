"""The command line as a program uses it: real processes, JSON, exit codes, one sentence on stderr."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from studio_core.base.states import TERMINAL
from studio_core.base.studio import open_studio
from studio_core.base.tables import Job
from studio_core.runs import queue
from tests.conftest import wait_until

ROOT = Path(__file__).parent.parent.parent


class Studio:
    """One data folder, and the command line on it."""

    def __init__(self, home: Path, app: str, worker: str) -> None:
        """``app`` and ``worker`` start them in place of Python."""
        self.home = home
        self.app = app
        self.environment = {
            **os.environ,
            "TUNESMITH_HOME": str(home),
            "TUNESMITH_WARM_WORKERS": "1",
            "TUNESMITH_WORKER_COMMAND": json.dumps([worker, "-P", "-m", "jobs.worker"]),
            "COLUMNS": "200",
        }

    def call(
        self, python: str, *arguments: str | Path, timeout: float = 800
    ) -> subprocess.CompletedProcess[str]:
        command = [python, "-m", "app", *map(str, arguments)]
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self.environment,
            cwd=ROOT,
            check=False,
        )

    def json(self, *arguments: str | Path, code: int = 0, timeout: float = 800) -> Any:
        done = self.call(self.app, *arguments, "--json", timeout=timeout)
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return json.loads(done.stdout)

    def refused(self, *arguments: str | Path) -> str:
        """The sentence with which bad input was refused; by a new Python, whose imports must add nothing to it."""
        done = self.call(sys.executable, *arguments)
        assert done.returncode == 2, (arguments, done.stdout, done.stderr)
        assert done.stdout == "", done.stdout
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        return done.stderr.strip()

    def wait(self, job: int, condition: Callable[[Job], bool]) -> None:
        """Until the job's row is as wanted; fails when it has ended otherwise."""
        opened = open_studio(home=self.home)

        def met() -> bool:
            row = queue.get(opened, job)
            assert condition(row) or row.state not in TERMINAL, (row.state, row.detail)
            return condition(row)

        wait_until(met, what=f"job {job}")
        opened.close()

    def end(self) -> None:
        """Kill the engine and all that it started."""
        for process in psutil.process_iter(["cmdline"]):
            command = " ".join(process.info["cmdline"] or [])
            if str(self.home) in command:
                for child in [*process.children(recursive=True), process]:
                    child.send_signal(signal.SIGKILL)


@pytest.fixture(scope="module")
def cli(
    tmp_path_factory: pytest.TempPathFactory, prepared_app: str, prepared_python: str
) -> Iterator[Studio]:
    studio = Studio(tmp_path_factory.mktemp("cli") / "home", prepared_app, prepared_python)
    yield studio
    studio.end()


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_train_stop_resume_and_chat(cli: Studio, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"instruction": f"Say the word number {n}", "output": f"The word is bird {n}."} for n in range(64)
    ]
    rows[3]["output"] = ""
    imported = cli.json("data", "import", write_lines(tmp_path / "birds.jsonl", rows))
    assert imported | {"rejected": []} == {
        "dataset": "birds", "version": 1, "shape": "prompt-completion", "rows": 63, "rejected": [], "remarks": [],
    }  # fmt: skip
    assert [r["row"] for r in imported["rejected"]] == [4]
    assert imported["rejected"][0]["reason"]

    trained = cli.json(
        "train", "--method", "sft", "--model", "tiny-base", "--dataset", "birds",
        "--set", "epochs=3", "--set", "batch_size=16", "--wait",
    )  # fmt: skip
    assert trained["state"] == "succeeded"
    shown = cli.json("jobs", "show", str(trained["job"]))
    documented = "id kind method state cause step total_steps model run_dir metrics"
    assert set(documented.split()) <= shown.keys()
    assert shown["step"] == shown["total_steps"] == 12
    points = cli.json("jobs", "metrics", str(trained["job"]))
    losses = [point["loss"] for point in points if point.get("loss") is not None]
    assert losses[-1] < losses[0]

    answers = cli.json(
        "chat", "--models", f"tiny-base,{trained['model']}", "--prompt", "Say the word number 7"
    )
    assert [answer["model"] for answer in answers] == ["tiny-base", trained["model"]]
    assert {"model", "answer", "tokens", "seconds"} <= answers[0].keys()
    assert answers[0]["answer"] != answers[1]["answer"]


def test_stopped_run_is_resumed_from_its_checkpoint(cli: Studio) -> None:
    job = cli.json(
        "train", "--method", "sft", "--model", "tiny-base", "--dataset", "tiny-sft-chat",
        "--set", "max_steps=400", "--set", "learning_rate=0.0001",
    )["job"]  # fmt: skip
    cli.wait(job, lambda row: row.step >= 3)
    cli.json("jobs", "stop", str(job))
    cli.wait(job, lambda row: row.state in TERMINAL)
    shown = cli.json("jobs", "show", str(job))
    assert (shown["state"], shown["cause"]) == ("succeeded", "stopped")
    assert 3 <= shown["step"] < 400
    assert shown["model"]
    resumed = cli.json("jobs", "resume", str(job))
    assert resumed["resumes"] == job
    cli.wait(resumed["job"], lambda row: row.step > shown["step"])
    cli.json("jobs", "cancel", str(resumed["job"]))
    cli.wait(resumed["job"], lambda row: row.state in TERMINAL)
    again = cli.json("jobs", "show", str(resumed["job"]))
    assert again["state"] == "cancelled"


def test_a_chain_sft_then_dpo_runs_by_itself(cli: Studio) -> None:
    short = ("--set", "max_steps=2", "--set", "batch_size=4")
    cli.json("jobs", "pause")
    first = cli.json(
        "train", "--method", "sft", "--tuning", "lora", "--model", "tiny-base",
        "--dataset", "tiny-sft-chat", *short,
    )["job"]  # fmt: skip
    second = cli.json(
        "train", "--method", "dpo", "--tuning", "lora", "--model", f"run:{first}",
        "--dataset", "identity-pairs", *short, "--priority", "3",
    )["job"]  # fmt: skip
    queued = cli.json("jobs", "queue")
    assert queued["paused"] and [row["job"] for row in queued["waiting"]] == [second, first]
    assert [row["job"] for row in cli.json("jobs", "priority", str(first), "4")["waiting"]] == [first, second]
    assert not cli.json("jobs", "unpause")["paused"]
    cli.wait(second, lambda row: row.state in TERMINAL)
    shown = cli.json("jobs", "show", str(second))
    assert (shown["state"], shown["base_model"]) == (
        "succeeded",
        cli.json("jobs", "show", str(first))["model"],
    )
    assert cli.json("chat", "--models", shown["model"], "--prompt", "What is your name?")[0]["answer"]
    again = cli.json("jobs", "duplicate", str(first), "--set", "max_steps=1", "--wait")
    assert (again["state"], cli.json("jobs", "show", str(again["job"]))["total_steps"]) == ("succeeded", 1)


def test_bad_input_is_one_sentence_and_code_2(cli: Studio, tmp_path: Path) -> None:
    assert "nowhere.jsonl" in cli.refused("data", "import", tmp_path / "nowhere.jsonl")
    (tmp_path / "empty.jsonl").write_text("")
    assert "empty" in cli.refused("data", "import", tmp_path / "empty.jsonl")
    assert "999" in cli.refused("jobs", "show", "999")
    assert "no-such-set" in cli.refused(
        "train", "--method", "sft", "--model", "tiny-base", "--dataset", "no-such-set"
    )
    assert "magic" in cli.refused(
        "train", "--method", "magic", "--model", "tiny-base", "--dataset", "tiny-sft-chat"
    )
    unclear = ("train", "--method", "sft", "--model", "tiny-base", "--dataset", "tiny-sft-chat", "--set")
    assert "batch_size=[" in cli.refused(*unclear, "batch_size=[")
    assert "batch_size" in cli.refused(*unclear, "batch_size")
    assert "--nonsense" in cli.refused("jobs", "list", "--nonsense")
    assert cli.json("data", "list")


def test_doctor_finds_nothing_wrong(cli: Studio) -> None:
    checks = cli.json("doctor")
    assert {"database", "engine", "disk"} <= {check["name"] for check in checks}
    assert not [check for check in checks if check["state"] == "bad"]


@pytest.mark.real_data
def test_the_whole_path_on_real_files(cli: Studio, real_data: Path) -> None:
    identity = cli.json(
        "data",
        "import",
        real_data / "formats" / "identity.json",
        "--fill",
        "name=Nova",
        "--fill",
        "author=Hill Lab",
    )
    assert (identity["rows"], identity["rejected"]) == (91, [])
    gsm8k = cli.json("data", "import", real_data / "gsm8k" / "train.jsonl", "--name", "gsm8k")
    assert gsm8k["rows"] + len(gsm8k["rejected"]) == 7473
    for dataset, steps in (("identity", 8), ("gsm8k", 2)):
        trained = cli.json(
            "train", "--method", "sft", "--model", "tiny-chat", "--dataset", dataset,
            "--set", f"max_steps={steps}", "--wait",
        )  # fmt: skip
        assert trained["state"] == "succeeded", trained
        answers = cli.json("chat", "--models", f"tiny-chat,{trained['model']}", "--prompt", "Who are you?")
        assert len(answers) == 2


def test_data_goes_out_in_the_layouts_of_others(cli: Studio, tmp_path: Path) -> None:
    rows = [{"prompt": f"q {n}", "completion": "a"} for n in range(3)]
    rows[1]["system"] = "s"
    cli.json("data", "import", write_lines(tmp_path / "out.jsonl", rows), "--name", "out")
    file = tmp_path / "alpaca.json"
    done = cli.json("data", "export", "out", "--to", file, "--layout", "alpaca")
    assert done == {
        "dataset": "out", "version": 1, "layout": "alpaca", "format": "json", "shape": "prompt-completion",
        "becomes": "prompt-completion", "rows": 3, "left_out": {}, "file": str(file),
    }  # fmt: skip
    assert json.loads(file.read_text())[1]["system"] == "s"
    again = cli.json("data", "import", file, "--name", "out")
    assert (again["version"], again["rows"]) == (1, 3)

    small = tmp_path / "small.csv"
    seen = cli.json("data", "export", "out", "--to", small, "--layout", "trl-text", "--check")
    assert seen["left_out"] == {"system": {"n": 1, "rows": [2]}} and not small.exists()
    done = cli.json("data", "export", "out", "--to", small, "--layout", "trl-text", "--skip")
    assert done["rows"] == 2 and len(small.read_text().splitlines()) == 3
    zipped = cli.json("data", "export", "out", "--to", tmp_path / "out.parquet.zip", "--card")
    assert zipped["format"] == "parquet" and zipfile.is_zipfile(zipped["file"])
