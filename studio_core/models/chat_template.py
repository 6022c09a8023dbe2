"""Chat templates of models, rendered in Jinja's sandbox as ``transformers`` renders them.

A template is a program that came with a model. It sees plain strings only, cannot reach Python,
and is stopped when it writes without end.
"""

from __future__ import annotations

import copy
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from functools import cached_property
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from studio_core.base.errors import BadInput

STANDARD_TEMPLATE = """\
{%- set end = eos_token if eos_token else '<|im_end|>' -%}
{%- if bos_token and bos_token != end -%}{{- bos_token -}}{%- endif -%}
{%- for message in messages -%}
{{- '<|im_start|>' + message['role'] + '\\n' -}}
{%- if message['role'] == 'assistant' -%}
{%- generation -%}{{- message['content'] + end -}}{%- endgeneration -%}
{%- else -%}
{{- message['content'] + end -}}
{%- endif -%}
{{- '\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
"""
"""For tokenizers without a template. ChatML, except that turns end in the tokenizer's own end token,
which it surely has as one token and at which it stops; the rest may be spelled in ordinary tokens."""

# More than any record that can be brought in, so that only a loop without end comes here.
MAX_RENDERED = 16_000_000
"""Characters that a template may write for one conversation."""

Span = tuple[int, int]

_MARK = re.compile(r"\{%-?\s*generation\s*-?%\}")


class ChatTemplate:
    """One model's template, compiled. Safe to use from several threads."""

    def __init__(self, source: str, special_tokens: Mapping[str, Any] | None = None) -> None:
        self.source = source
        self.has_generation_marks = bool(_MARK.search(source))
        self._special_tokens = dict(special_tokens or {})
        # The marks of one rendering are collected in the environment, which all renderings share.
        self._lock = threading.Lock()
        self.limited: Callable[[], AbstractContextManager[None]] = nullcontext
        """Around each rendering: how the process that renders here limits its time."""
        # The settings with which transformers renders; others would move spaces, and so tokens.
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
        )
        environment.filters["tojson"] = _tojson
        self._environment = environment
        environment.globals |= {
            "raise_exception": _raise_exception,
            # Llama's template asks for the date; that of this machine, as transformers gives it.
            "strftime_now": lambda format: datetime.now().strftime(format),
            "dict": _Dict(),
            "namespace": _Namespace,
        }
        self._track: Callable[..., Any] = environment.tracking  # type: ignore[attr-defined]
        try:
            self._template = environment.from_string(source)
        except (jinja2.TemplateError, RecursionError) as error:
            raise BadInput("data.template_broken", reason=_reason(error)) from error

    @cached_property
    def literals(self) -> str:
        """All text that the template itself may write, in pieces parted by null characters."""
        tree = self._environment.parse(self.source)
        pieces = {node.data for node in tree.find_all(nodes.TemplateData)}
        pieces |= {node.value for node in tree.find_all(nodes.Const) if isinstance(node.value, str)}
        # Parted by a sign that no text has, so that nothing is found across two pieces.
        return "\0".join(sorted(pieces))

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        opened: bool = False,
        tools: Sequence[Any] | None = None,
    ) -> tuple[str, list[Span]]:
        """The text of a conversation, and where in it the answers stand that the template marks.

        ``opened``: with what precedes the assistant's next answer.
        """
        blocks: list[str] = []
        spans: list[Span] = []
        written = 0
        # Templates of some models change their messages; the caller's must stay.
        conversation = copy.deepcopy([dict(message) for message in messages])
        try:
            # The lock outside the clock: waiting for another rendering is no fault of this template.
            with self._lock, self.limited(), self._track(blocks, spans):
                for block in self._template.generate(
                    messages=conversation,
                    tools=list(tools) if tools else None,
                    documents=None,
                    add_generation_prompt=opened,
                    **self._special_tokens,
                ):
                    blocks.append(block)
                    written += len(block)
                    if written > MAX_RENDERED:
                        raise BadInput("data.template_endless", limit=MAX_RENDERED)
        except BadInput:
            raise
        except Exception as error:
            # A template's program can fail in any way that Python can.
            raise BadInput("data.template_refuses", reason=_reason(error)) from error
        return "".join(blocks), spans


class _Generation(Extension):
    """The tag ``{% generation %}``, which marks what the assistant writes."""

    tags = {"generation"}  # noqa: RUF012

    def __init__(self, environment: jinja2.Environment) -> None:
        super().__init__(environment)
        environment.extend(tracking=self._tracking)
        self._blocks: list[str] | None = None
        self._spans: list[Span] = []

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_marked"), [], [], body).set_lineno(line)

    def _marked(self, caller: Callable[[], str]) -> str:
        text = caller()
        if self._blocks is not None:
            # Where the answer begins in all that has been written so far.
            start = sum(map(len, self._blocks))
            self._spans.append((start, start + len(text)))
        return text

    @contextmanager
    def _tracking(self, blocks: list[str], spans: list[Span]) -> Iterator[None]:
        self._blocks, self._spans = blocks, spans
        try:
            yield
        finally:
            self._blocks = None


class _Dict:
    """``dict`` for templates: no attributes through which to break out."""

    def __call__(self, *args: Any, **fields: Any) -> dict[Any, Any]:
        return dict(*args, **fields)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        return dict.fromkeys(*args)


class _Namespace(jinja2.utils.Namespace):
    """``namespace`` for templates: no underscored attributes, which lead to Python's internals."""

    def __init__(*args: Any, **fields: Any) -> None:
        # Jinja's own signature: a template may write ``namespace(self=...)``.
        self, *rest = args
        values = dict(*rest, **fields)
        for name in values:
            _refuse_underscore(name)
        jinja2.utils.Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _refuse_underscore(name)
        super().__setitem__(name, value)


def _refuse_underscore(name: str) -> None:
    if name.startswith("_"):
        raise jinja2.exceptions.SecurityError(f"a namespace has no {name!r}")


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Without the HTML escapes of Jinja's own filter."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _reason(error: BaseException) -> str:
    # 300 characters of the first line: a message is the template's own, and may be as long as it likes.
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
