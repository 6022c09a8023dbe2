"""What an environment is: tools that a model may call while it answers. Pure functions; no torch here.

Texts are those of the option ``environment`` (``methods.rollouts``). What a model reads, definitions and results, is no
text of the page: it is English, as the data of most tool users are, and the same whatever language a person reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from studio_core.data.tool_calls import Call

LONGEST_RESULT = 400
"""Characters. A result takes room from the answer: some hundred tokens are what a short limit can spare."""


class ToolError(Exception):
    """A call that cannot be carried out. Its text goes to the model, which may call again."""


@dataclass(frozen=True)
class Tool:
    """One function of one text, so that even the smallest models can learn to call it."""

    name: str
    description: str
    parameter: str
    parameter_description: str
    run: Callable[[str], str]
    """Raises ``ToolError``. It has no state and ends at once: a rollout waits for it, and may be drawn again."""

    @property
    def definition(self) -> dict[str, Any]:
        """As OpenAI and chat templates write it, with its JSON schema."""
        properties = {self.parameter: {"type": "string", "description": self.parameter_description}}
        parameters = {"type": "object", "properties": properties, "required": [self.parameter]}
        function = {"name": self.name, "description": self.description, "parameters": parameters}
        return {"type": "function", "function": function}


@dataclass(frozen=True)
class Result:
    """What comes back of a call."""

    text: str
    failed: bool = False


@dataclass(frozen=True)
class Environment:
    name: str
    tools: tuple[Tool, ...]

    @property
    def title_key(self) -> str:
        return f"methods.rollouts.environment.{self.name}"

    @property
    def help_key(self) -> str:
        return f"{self.title_key}.help"

    @property
    def definitions(self) -> str:
        """Of its tools, as the column ``tools`` of a record holds them."""
        return json.dumps([tool.definition for tool in self.tools])

    def answer(self, call: Call) -> Result:
        """Carry out a call; what is wrong with it is told the model and ends nothing."""
        if not call.name:
            return Result('error: write {"name": ..., "arguments": {...}} as JSON', failed=True)
        tool = next((tool for tool in self.tools if tool.name == call.name), None)
        if tool is None:
            known = ", ".join(tool.name for tool in self.tools)
            return Result(f"error: no such tool, there are: {known}", failed=True)
        value = call.arguments.get(tool.parameter)
        if not isinstance(value, str | int | float):
            return Result(f"error: {tool.name} needs {tool.parameter}, a text", failed=True)
        try:
            return Result(tool.run(str(value))[:LONGEST_RESULT])
        except ToolError as error:
            return Result(f"error: {error}", failed=True)
