"""A reward that somebody writes in Python. It runs in the sandbox, and only where the server's owner allows it."""

from __future__ import annotations

import ast
import json
import secrets
from collections.abc import Sequence
from typing import Any

from pydantic import field_validator

from studio_core.base.errors import BadInput
from studio_core.base.settings import switched_on
from studio_core.data.shapes import Record
from studio_core.options import option
from studio_core.programs.limits import Limits
from studio_core.programs.run import check_protection, run
from studio_core.rewards.base import Answered, Reward, RewardOptions, Score, Scores

EXAMPLE = """def reward(prompt, answer, record):
    return 1.0 if answer.strip() else 0.0
"""
_HARNESS = """
import json, os, sys

given = json.load(sys.stdin)
report = os.fdopen(os.dup(1), "w")
sys.stdout = sys.stderr
space = {"__name__": "reward"}
failed = None
try:
    exec(compile(given["code"], "<reward>", "exec"), space)
except BaseException as error:
    failed = f"{type(error).__name__}: {error}"
for prompt, answer, record in given["answered"]:
    try:
        told = {"error": failed} if failed else {"value": float(space["reward"](prompt, answer, record))}
    except BaseException as error:
        told = {"error": f"{type(error).__name__}: {error}"}
    report.write(given["mark"] + json.dumps(told) + "\\n")
    # One after the other: what was scored before the end of a program that never ends counts.
    report.flush()
report.close()
os._exit(0)
"""


class OwnCodeOptions(RewardOptions):
    code: str = option(EXAMPLE, kind="prompt", advanced=False)
    seconds: int = option(5, at_least=1, at_most=120, unit="seconds")

    @field_validator("code")
    @classmethod
    def _defines_a_reward(cls, code: str) -> str:
        try:
            # Read and not run: that is for the sandbox only.
            body = ast.parse(code).body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise BadInput("rewards.not_python", reason=str(error)[:200]) from error
        if not any(isinstance(each, ast.FunctionDef) and each.name == "reward" for each in body):
            raise BadInput("rewards.no_function")
        return code


def own_code(options: OwnCodeOptions) -> Score:
    """What ``reward(prompt, answer, record)`` returns. Raises ``BadInput`` where own rewards are not allowed."""
    many = own_code_of_many(options)

    def score(prompt: str, answer: str, record: Record) -> float:
        [value] = many([(prompt, answer, record)])
        if isinstance(value, Exception):
            raise value
        return value

    return score


def own_code_of_many(options: OwnCodeOptions) -> Scores:
    """All answers in one program: starting it costs more than most rewards do."""
    # Asked for wherever it would run, also in a worker: what was stored while it was allowed may be run later.
    if not switched_on("own_rewards"):
        raise BadInput("rewards.own_code_off")
    check_protection()

    def scores(many: Sequence[Answered]) -> list[float | Exception]:
        mark = secrets.token_hex(16)
        given = {"code": options.code, "answered": many, "mark": mark}
        # So many seconds for each answer; one that never ends takes those of all.
        seconds = options.seconds * max(1, len(many))
        result = run(_HARNESS, json.dumps(given, default=str), Limits.of_seconds(seconds))
        # Of a program that was stopped the last line may be half of one.
        whole = result.output.rpartition("\n")[0].splitlines()
        lines = [line.removeprefix(mark) for line in whole if line.startswith(mark)]
        told = [json.loads(line) for line in lines[: len(many)]]
        ended = BadInput(
            "rewards.own_code_ended", reason=result.ended_by or result.errors[-200:].strip() or "exit"
        )
        return [*map(_value, told), *[ended] * (len(many) - len(told))]

    return scores


def _value(told: dict[str, Any]) -> float | Exception:
    if "value" in told:
        return float(told["value"])
    return BadInput("rewards.own_code_failed", reason=str(told["error"])[:300])


OWN_CODE = Reward(
    "own_code", own_code, OwnCodeOptions, many=own_code_of_many, lowest=float("-inf"), highest=float("inf")
)
