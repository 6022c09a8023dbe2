"""The form that OpenAI's clients speak: requests as they write them, events as the answers that they read.

What a request asks for and cannot have here is refused with a sentence, never passed over: a benchmark would measure
something else. Fields that change nothing about an answer (``user``, ``store`` ...) are.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from jobs.generation.sides import Event
from studio_core.data import shapes
from studio_core.data.tool_calls import Call, calls_in, without_calls
from studio_core.generation.sampling import Count, Sampling, Temperature, TopP

_TOKENS = 4096
"""Of an answer where the request says nothing: OpenAI's form means what the context has room for, but a model that does
not know where to end would keep everybody waiting until it is full."""
_OF_THE_REQUEST = ("chat.too_long", "chat.no_template", "chat.template_failed")
"""Errors that another request would not have."""


class TextPart(BaseModel):
    type: Literal["text"]
    text: str


class FunctionCall(BaseModel):
    name: str = Field(min_length=1)
    arguments: str = "{}"

    @field_validator("arguments")
    @classmethod
    def _an_object(cls, text: str) -> str:
        if not isinstance(json.loads(text or "{}"), dict):
            raise ValueError(f"the arguments of a call are the JSON text of an object, not {text[:80]!r}")
        return text or "{}"


class ToolCall(BaseModel):
    id: str = ""
    function: FunctionCall


class ChatMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[TextPart] | None = None
    name: str = ""
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str = ""

    def plain(self) -> shapes.Message:
        """As the studio's templates read it."""
        content = self.content or ""
        text = content if isinstance(content, str) else "\n".join(part.text for part in content)
        message: shapes.Message = {
            "role": "system" if self.role == "developer" else self.role,
            "content": text,
        }
        if self.name:
            message["name"] = self.name
        if self.tool_call_id:
            message["tool_call_id"] = self.tool_call_id
        if self.tool_calls:
            calls = [
                {
                    "name": call.function.name,
                    "arguments": json.loads(call.function.arguments),
                    **({"id": call.id} if call.id else {}),
                }
                for call in self.tool_calls
            ]
            message["tool_calls"] = json.dumps(calls, ensure_ascii=False)
        return message


class Function(BaseModel):
    name: str = Field(min_length=1)
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})


class Tool(BaseModel):
    type: Literal["function"]
    function: Function


class StreamOptions(BaseModel):
    include_usage: bool = False


class Completion(BaseModel):
    """A request for answers to one conversation."""

    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    # OpenAI's own defaults, which a program that leaves them out counts on.
    temperature: Temperature = 1.0
    top_p: TopP = 1.0
    seed: int | None = Field(default=None, ge=0)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    n: Count = 1
    stop: str | list[str] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0)
    tools: list[Tool] | None = None
    tool_choice: Any = None
    parallel_tool_calls: bool = True
    """False: of several calls in an answer the first is told."""

    @model_validator(mode="before")
    @classmethod
    def _nothing_in_vain(cls, request: Any) -> Any:
        if not isinstance(request, dict):
            return request
        for name, harmless in _NOT_HERE.items():
            if request.get(name) not in harmless:
                raise ValueError(f"{name} is {request[name]!r}, which cannot be done here; leave it out")
        # Clients write null for what they leave out.
        return {name: value for name, value in request.items() if value is not None}

    @field_validator("tool_choice")
    @classmethod
    def _nobody_is_forced(cls, choice: Any) -> Any:
        if choice not in (None, "auto", "none"):
            raise ValueError(
                f"{choice!r} would force a call, which cannot be done here; say auto or none, or leave it out"
            )
        return choice

    @model_validator(mode="after")
    def _alternatives_beside_their_token(self) -> Completion:
        if self.top_logprobs and not self.logprobs:
            raise ValueError("top_logprobs are told beside logprobs only; set logprobs to true too")
        return self

    def sampling(self) -> Sampling:
        seed = secrets.randbelow(2**31) if self.seed is None else self.seed % 2**31  # Theirs have 64 bits.
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            seed=seed,
            max_tokens=self.max_completion_tokens or self.max_tokens or _TOKENS,
            n=self.n,
            stop=(self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ()),
            logprobs=bool(self.logprobs),
            top_logprobs=self.top_logprobs or 0,
        )

    @property
    def readable_tools(self) -> list[dict[str, Any]] | None:
        """What the model reads of tools; None: it may call nothing."""
        wanted = self.tools if self.tool_choice != "none" else None
        return [tool.model_dump() for tool in wanted or ()] or None


_NOT_HERE: dict[str, tuple[Any, ...]] = {
    "presence_penalty": (None, 0),
    "frequency_penalty": (None, 0),
    "logit_bias": (None, {}),
    "response_format": (None, {"type": "text"}),
    "functions": (None, []),
    "function_call": (None, "none", "auto"),
    "modalities": (None, ["text"]),
}
"""Fields that would change an answer, with the values by which they do not."""


@dataclass
class Choice:
    """One answer in the making."""

    index: int
    text: str = ""
    logprobs: list[dict[str, Any]] = field(default_factory=list)
    reason: str = ""


@dataclass
class Reply:
    """The answers to one request: events go in, documents come out."""

    asked: Completion
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))
    prompt_tokens: int = 0
    tokens: int = 0

    def __post_init__(self) -> None:
        self.choices = [Choice(index) for index in range(self.asked.n)]

    def add(self, event: Event) -> Choice:
        """Take in what is new of one answer."""
        choice = self.choices[event.get("which", 0)]
        choice.text += event.get("text", "")
        choice.logprobs += [_token(token) for token in event.get("logprobs", [])]
        choice.reason = event.get("reason", "")
        # All answers are to the same question, which is read once.
        self.prompt_tokens = event.get("prompt_tokens", self.prompt_tokens)
        self.tokens += event.get("tokens", 0)
        return choice

    @property
    def given_up(self) -> bool:
        """Whether some answer has no end: the worker ended before it was this request's turn, or amid it."""
        return not all(choice.reason for choice in self.choices)

    def document(self) -> dict[str, Any]:
        """The whole reply, once all answers have ended."""
        choices = []
        for choice in self.choices:
            message, reason = self._message(choice)
            logprobs = {"content": choice.logprobs} if self.asked.logprobs else None
            choices.append(
                {"index": choice.index, "message": message, "logprobs": logprobs, "finish_reason": reason}
            )
        return self._head("chat.completion") | {"choices": choices, "usage": self._usage()}

    def chunks(self, event: Event) -> Iterator[dict[str, Any]]:
        """What a stream says of an event. Where tools may be called an answer comes when it is whole: only then
        it is known what of it is a call."""
        fresh = not self.choices[event.get("which", 0)].text
        choice = self.add(event)
        held = self.asked.readable_tools is not None
        if held and not choice.reason:
            return
        delta: dict[str, Any] = {"role": "assistant"} if fresh or held else {}
        reason: str | None = choice.reason or None
        if held:
            message, reason = self._message(choice)
            calls = [{"index": place, **call} for place, call in enumerate(message.get("tool_calls", []))]
            delta |= {"content": message["content"], **({"tool_calls": calls} if calls else {})}
        elif event.get("text"):
            delta["content"] = event["text"]
        told, choice.logprobs = choice.logprobs, []
        part = {
            "index": choice.index,
            "delta": delta,
            "logprobs": {"content": told} if told else None,
            "finish_reason": reason,
        }
        yield self._head("chat.completion.chunk") | {"choices": [part]}

    def last_chunk(self) -> dict[str, Any] | None:
        """With the tokens that it took, where a stream wants them."""
        wanted = self.asked.stream_options is not None and self.asked.stream_options.include_usage
        head = self._head("chat.completion.chunk")
        return head | {"choices": [], "usage": self._usage()} if wanted else None

    def _message(self, choice: Choice) -> tuple[dict[str, Any], str]:
        """An answer that has ended, and why it has."""
        # A text that was cut is no call, even if what is there of it could be read as one.
        ended = choice.reason == "stop"
        calls = calls_in(choice.text, most=None) if ended and self.asked.readable_tools else []
        if not calls or not all(call.name for call in calls):
            return {"role": "assistant", "content": choice.text}, choice.reason
        if not self.asked.parallel_tool_calls:
            del calls[1:]
        content = without_calls(choice.text) or None
        return {"role": "assistant", "content": content, "tool_calls": [*map(_call, calls)]}, "tool_calls"

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.asked.model}

    def _usage(self) -> dict[str, int]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.tokens,
            "total_tokens": self.prompt_tokens + self.tokens,
        }


def _call(call: Call) -> dict[str, Any]:
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    return {
        "id": f"call_{secrets.token_hex(12)}",
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def _token(told: Mapping[str, Any]) -> dict[str, Any]:
    """A token may be a part of a letter: its text is none, and it has no bytes."""
    others = [{**other, "bytes": None} for other in told.get("top_logprobs", [])]
    return {**told, "bytes": None, "top_logprobs": others}


def error_document(
    message: str, status: int, *, param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """An error as OpenAI's clients read it: their sentence is ``message``."""
    kinds = {401: "authentication_error", 404: "not_found_error"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


GIVEN_UP = (503, error_document("the answer was given up, since the chat worker ends; ask again", 503))


def failure(event: Event) -> tuple[int, dict[str, Any]] | None:
    """Status and document of an event that says that there will be no answer."""
    if "error" in event:
        status = 400 if event["key"] in _OF_THE_REQUEST else 500
        code = "context_length_exceeded" if event["key"] == "chat.too_long" else event["key"]
        return status, error_document(event["error"], status, code=code)
    return GIVEN_UP if event.get("reason") == "cancelled" else None
