"""What the programs of TauBench, ToolSandbox and NexusBench do from outside: they ask the address that they are given,
and leave results in the shape that each of them has. The answers are the model's, the scores are made up.

    python benchmark_stand_in.py taubench|toolsandbox|nexusbench|fails|waits|mute ARGUMENTS

``fails`` ends with code 3; ``waits`` starts a child and never ends; ``mute`` leaves nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

QUESTIONS = ("What is the sum of 3 and 13?", "Compute 34 - 22")


def ask(address: str, key: str, model: str, question: str) -> dict[str, Any]:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": question}],
        "max_tokens": 24,
        "temperature": 0,
    }
    head = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/chat/completions", json.dumps(body).encode(), head)
    with urllib.request.urlopen(request, timeout=60) as reply:
        message: dict[str, Any] = json.load(reply)["choices"][0]["message"]
    return message


def conversation(answer: str, number: int) -> list[dict[str, Any]]:
    """A call, its result, the model's answer, and a user who ends it."""
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "think", "arguments": '{"thought": "hm"}'},
    }
    return [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": QUESTIONS[number]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "name": "think", "content": "noted"},
        {"role": "assistant", "content": answer},
        {"role": "user", "content": "###STOP###"},
    ]


def taubench(given: list[str]) -> None:
    parser = argparse.ArgumentParser()
    for name in (
        "env",
        "agent-strategy",
        "max-concurrency",
        "model",
        "model-provider",
        "temperature",
        "log-dir",
    ):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--user-model", default="gpt-4o")
    for name, value in (("num-trials", 1), ("seed", 10), ("end-index", -1)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args(given)
    assert asked.env in ("retail", "airline") and asked.model_provider == "hosted_vllm"
    address, key = os.environ["HOSTED_VLLM_API_BASE"], os.environ["HOSTED_VLLM_API_KEY"]
    results = []
    for trial in range(asked.num_trials):
        for task in range(3 if asked.end_index < 0 else min(3, asked.end_index)):
            if task == 2:  # As the program does with what has raised.
                info = {"error": "the customer left", "traceback": "..."}
                results.append({"task_id": 2, "reward": 0.0, "info": info, "traj": [], "trial": trial})
                continue
            answer = ask(address, key, asked.model, QUESTIONS[task])["content"]
            reward = float("boxed" in answer and not (task and trial))
            made = {"task_id": task, "reward": reward, "info": {"source": "user"}, "trial": trial}
            results.append({**made, "traj": conversation(answer, task)})
    name = f"tool-calling-{asked.model}-{asked.temperature}_range_0-{asked.end_index}_user-{asked.user_model}-llm.json"
    Path(asked.log_dir, name).write_text(json.dumps(results), encoding="utf-8")


def toolsandbox(given: list[str]) -> None:
    parser = argparse.ArgumentParser()
    for name in ("agent", "parallel", "output_dir"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--user", default="GPT_4_o_2024_05_13")
    asked = parser.parse_args(given)
    assert asked.agent == "Tunesmith"
    model = os.environ["AGENT_MODEL"]
    folder = Path(asked.output_dir, f"agent_{model}_user_gpt-4o_11_30_2026_20_00_00")
    results = []
    for number, (name, similarity) in enumerate((("wifi_off", 0.25), ("add_contact", 1.0))):
        answer = ask(os.environ["AGENT_BASE_URL"], os.environ["AGENT_API_KEY"], model, QUESTIONS[number])
        talk = folder / "trajectories" / name
        talk.mkdir(parents=True)
        (talk / "conversation.json").write_text(json.dumps(conversation(answer["content"], number)))
        results.append(scenario(name, similarity=similarity))
    results.append(
        scenario("broken", exception_type="KeyError", traceback="Traceback:\n  ...\nKeyError: 'x'\n")
    )
    summary = {"per_scenario_results": results, "category_aggregated_results": {}, "git_sha": None}
    (folder / "result_summary.json").write_text(json.dumps(summary), encoding="utf-8")


def scenario(name: str, **given: Any) -> dict[str, Any]:
    return {
        "name": name, "categories": ["SINGLE_TOOL_CALL", "SINGLE_USER_TURN"], "traceback": None,
        "exception_type": None, "milestone_similarity": 1.0, "minefield_similarity": 0, "similarity": 0,
        "turn_count": 4, "milestone_mapping": {}, "minefield_mapping": {}, **given,
    }  # fmt: skip


def nexusbench(given: list[str]) -> None:
    parser = argparse.ArgumentParser()
    for name in ("client", "base_url", "api_key", "model", "suite"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("num_samples_parallel", "num_benchmarks_parallel", "limit"):
        parser.add_argument(f"--{name}", type=int)
    asked = parser.parse_args(given)
    ask(asked.base_url, asked.api_key, asked.model, QUESTIONS[0])
    line = "+---------------------+------------+----------------+------------------+"
    print("Running benchmarks\n\nBenchmark Results:")
    for cells in (
        ("Benchmark", "Accuracy", "Invalid Plan", "Time taken (s)"),
        ("NVDLibraryBenchmark", "41.67%", "N/A", "12"),
        ("TicketTracking", "100.00%", "0.00%", "7"),
        ("Average", "70.83%", "0.00%", "10"),
    ):
        print(f"{line}\n| {cells[0]:<19} | {cells[1]:<10} | {cells[2]:<14} | {cells[3]:<16} |")
    print(line)


def fails(given: list[str]) -> None:
    print("the database is not there")
    sys.exit(3)


def waits(given: list[str]) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    folder = Path(given[given.index("--log-dir") + 1])
    (folder / "pids.partial").write_text(f"{os.getpid()} {child.pid}")
    (folder / "pids.partial").rename(folder / "pids")
    time.sleep(600)


def mute(given: list[str]) -> None:
    """Nothing."""


if __name__ == "__main__":
    print("it begins", flush=True)
    globals()[sys.argv[1]](sys.argv[2:])
