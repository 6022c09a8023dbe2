"""BFCL over several turns against an OpenAI-compatible address, by a Python that has the package ``bfcl-eval``.

    OPENAI_BASE_URL=... OPENAI_API_KEY=... python -I bfcl_multi_turn.py --category base --model NAME --out FOLDER

Questions, services and the check are the package's. Each turn of the user is answered by calls, which are carried out
and their results shown, until the model calls nothing; after 20 such steps the task is lost, as it is there. In
``miss_func`` the functions that were held back are told of in a turn of their own.

``results.json`` in the folder: a list of ``{"id", "valid", "error", "messages"}``, ``valid`` null where the address
refused the question (a context that is too short, say).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

_TYPES = {"dict": "object", "float": "number", "tuple": "array", "any": "string"}
"""The benchmark's names of types, and JSON schema's."""
_SECONDS = 3600.0
"""Of one answer: a large model on a CPU takes its time."""


class Refused(Exception):
    """Why the address would not answer."""


class Address:
    def __init__(self, model: str) -> None:
        self._url = os.environ["OPENAI_BASE_URL"].rstrip("/") + "/chat/completions"
        self._key, self._model = os.environ["OPENAI_API_KEY"], model

    def ask(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> dict[str, Any]:
        """The model's message. Raises ``Refused`` if this question cannot be answered."""
        body = {"model": self._model, "messages": messages, "tools": tools, "temperature": 0.0}
        head = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        request = urllib.request.Request(self._url, json.dumps(body).encode(), head)
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as reply:
                message: dict[str, Any] = json.load(reply)["choices"][0]["message"]
        except urllib.error.HTTPError as error:
            said = error.read().decode("utf-8", "replace")[:300]
            if error.code != 400:
                raise  # The key, the address or the machine, and so the same for every question.
            raise Refused(said) from error
        return {name: value for name, value in message.items() if value is not None}


class Services:
    """What a task calls, with their state."""

    def __init__(self, task: dict[str, Any], long_context: bool) -> None:
        self._task, self._long = task, long_context

    def call(self, calls: list[str]) -> list[str]:
        from bfcl_eval.eval_checker.multi_turn_eval.multi_turn_utils import execute_multi_turn_func_call

        results, _ = execute_multi_turn_func_call(
            calls,
            self._task["initial_config"],
            self._task["involved_classes"],
            "tunesmith",
            self._task["id"],
            long_context=self._long,
        )
        return [str(result) for result in results]


def schema(described: Any) -> Any:
    """JSON schema of the benchmark's description of arguments."""
    if isinstance(described, list):
        return [schema(each) for each in described]
    if not isinstance(described, dict):
        return described
    written = {name: schema(value) for name, value in described.items()}
    if isinstance(kind := written.get("type"), str):
        written["type"] = _TYPES.get(kind, kind)
    return written


def tool(function: dict[str, Any]) -> dict[str, Any]:
    told = {name: function[name] for name in ("name", "description")}
    return {"type": "function", "function": {**told, "parameters": schema(function["parameters"])}}


def written(call: dict[str, Any], names: set[str]) -> str:
    """A call as Python, which the package evaluates: a known name with literals and nothing else.

    Raises ``ValueError`` for what is none.
    """
    name, given = call["function"]["name"], call["function"]["arguments"]
    arguments = json.loads(given) if isinstance(given, str) else given
    if name not in names:
        raise ValueError(f"there is no function {name}")
    if not isinstance(arguments, dict) or not all(key.isidentifier() for key in arguments):
        raise ValueError(f"{name}: the arguments are no object of names and values")
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"


def answered(call: dict[str, Any], services: Services, names: set[str], steps: list[list[str]]) -> str:
    """The result of one call; what cannot be carried out is told the model, and is no call to be checked."""
    try:
        python = written(call, names)
    except ValueError as error:
        return f"Error during execution: {error}"
    steps[-1].append(python)
    return services.call([python])[0]


def turn(
    address: Address,
    messages: list[dict[str, Any]],
    functions: list[dict[str, Any]],
    services: Services,
    steps_at_most: int,
) -> tuple[list[list[str]], bool]:
    """The calls of each step until the model calls nothing, and whether it came to that. ``messages`` grows."""
    steps: list[list[str]] = []
    names = {function["name"] for function in functions}
    for _ in range(steps_at_most + 1):
        said = address.ask(messages, [tool(function) for function in functions])
        messages.append(said)
        calls = said.get("tool_calls") or []
        if not calls:
            return steps, True
        steps.append([])
        for call in calls:
            result = answered(call, services, names, steps)
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
    return steps, False


def played(
    address: Address, task: dict[str, Any], functions: list[dict[str, Any]], services: Services
) -> tuple[list[list[list[str]]], list[dict[str, Any]], str]:
    """The calls of each turn and step, all messages, and why the address refused to go on, if it did."""
    from bfcl_eval.constants.default_prompts import (
        DEFAULT_USER_PROMPT_FOR_ADDITIONAL_FUNCTION_FC,
        MAXIMUM_STEP_LIMIT,
    )

    held_back = {int(place): names for place, names in task.get("missed_function", {}).items()}
    hidden = {name for names in held_back.values() for name in names}
    messages: list[dict[str, Any]] = []
    turns: list[list[list[str]]] = []
    for place, said in enumerate(task["question"]):
        hidden -= {*held_back.get(place, ())}
        more = [{"role": "user", "content": DEFAULT_USER_PROMPT_FOR_ADDITIONAL_FUNCTION_FC}]
        messages += said if place not in held_back else more
        known = [function for function in functions if function["name"] not in hidden]
        try:
            steps, over = turn(address, messages, known, services, MAXIMUM_STEP_LIMIT)
        except Refused as error:
            return turns, messages, str(error)
        turns.append(steps)
        if not over:
            break
    return turns, messages, ""


def checked(turns: list[list[list[str]]], task: dict[str, Any], truth: list[list[str]]) -> tuple[bool, str]:
    """Whether all came out right, and what did not; a task that was lost on the way has turns too few."""
    if len(turns) != len(truth):
        return False, "multi_turn:force_terminated"
    from bfcl_eval.eval_checker.multi_turn_eval.multi_turn_checker import multi_turn_checker

    verdict = multi_turn_checker(turns, truth, task, task["id"].rsplit("_", 1)[0], "tunesmith")
    said = f"{verdict.get('error_type', '')}: {verdict.get('error_message', '')}"
    return bool(verdict["valid"]), "" if verdict["valid"] else said


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def main() -> int:
    import bfcl_eval
    from bfcl_eval.constants.executable_backend_config import MULTI_TURN_FUNC_DOC_FILE_MAPPING

    parser = argparse.ArgumentParser()
    parser.add_argument("--category", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    data = Path(str(bfcl_eval.__file__)).parent / "data"
    name = f"BFCL_v4_multi_turn_{given.category}.json"
    truths = {each["id"]: each["ground_truth"] for each in lines(data / "possible_answer" / name)}
    address, results = Address(given.model), []
    for task in lines(data / name)[: given.limit]:
        documents = (MULTI_TURN_FUNC_DOC_FILE_MAPPING[each] for each in task["involved_classes"])
        functions = [each for file in documents for each in lines(data / "multi_turn_func_doc" / file)]
        services = Services(task, given.category == "long_context")
        turns, messages, refused = played(address, task, functions, services)
        valid, error = (None, refused) if refused else checked(turns, task, truths[task["id"]])
        results.append({"id": task["id"], "valid": valid, "error": error, "messages": messages})
        print(task["id"], valid, error, flush=True)
    partial = given.out / "results.partial"
    partial.write_text(json.dumps(results, ensure_ascii=False), encoding="utf-8")
    partial.replace(given.out / "results.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
