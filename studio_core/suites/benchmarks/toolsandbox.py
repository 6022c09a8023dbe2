"""ToolSandbox: tools with a state that they share, a simulated user, and milestones on the way.

Lu et al. 2024, "ToolSandbox: A Stateful, Conversational, Interactive Evaluation Benchmark for LLM Tool Use
Capabilities" (arXiv 2408.04682). It writes ``result_summary.json``, whose ``per_scenario_results`` have ``name``,
``categories``, ``similarity`` (from 0 to 1, to the milestones reached without entering a minefield), ``turn_count``,
``exception_type`` and ``traceback``; beside it lies each conversation in ``trajectories/NAME/conversation.json``. A
scenario that raised is counted as 0 there, and has no value here.

Its agents stand in its source: one by the name of ``Tunesmith`` must be there, that reads address, key and model from
the variables below (docs/parts/address.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio_core.suites.base import Source, Suite, unscored
from studio_core.suites.benchmarks.base import NO_VALUE, SCORED_BY, Benchmark, Outcome, document, share


def read(folder: Path) -> Iterator[Outcome]:
    file, summary = document(folder, "result_summary.json")
    # Scenarios are played in an order of chance.
    for result in sorted(summary["per_scenario_results"], key=lambda each: str(each["name"])):
        raised = result["exception_type"]
        yield Outcome(
            str(result["name"]),
            (NO_VALUE if raised else share(result["similarity"]),),
            kind=", ".join(map(str, result["categories"])),
            exchanges=(_conversation(file.parent, str(result["name"])),),
            told=f"{raised}: {str(result['traceback']).strip().splitlines()[-1]}"[:300] if raised else "",
        )


def _conversation(folder: Path, name: str) -> list[dict[str, Any]]:
    """What was said; nothing of a scenario that raised before its end."""
    file = folder / "trajectories" / Path(name).name / "conversation.json"
    messages: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
    return messages


TOOLSANDBOX = Suite(
    "toolsandbox",
    unscored,
    scored_by=SCORED_BY,
    max_tokens=0,
    benchmark=Benchmark(
        program="toolsandbox",
        arguments=("--agent", "Tunesmith", "--parallel", "1", "--output_dir", "{out}"),
        environment={
            "AGENT_BASE_URL": "{address}",
            "AGENT_API_KEY": "{key}",
            "AGENT_MODEL": "{model}",
        },
        read=read,
        install="git clone https://github.com/apple/ToolSandbox; python3 -m venv toolsandbox; "
        "toolsandbox/bin/pip install ./ToolSandbox",
        setting='{"toolsandbox": ["/opt/toolsandbox/bin/tool_sandbox", "--user", "GPT_4_o_2024_05_13"]}',
    ),
    source=Source("", licence="Apple", about="https://github.com/apple/ToolSandbox"),
)
