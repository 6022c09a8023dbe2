from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import gradio as gr
import pytest
from gradio.context import LocalContext
from starlette.requests import Request

from app.parts.handlers import safely
from studio_core.base.errors import BadInput


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What readers were told."""
    sentences: list[str] = []
    monkeypatch.setattr(gr, "Warning", sentences.append)
    return sentences


def test_a_result_passes_unchanged(shown: list[str]) -> None:
    assert safely(lambda a, b: a + b)(1, 2) == 3
    assert shown == []


def test_a_known_error_becomes_its_sentence(shown: list[str]) -> None:
    @safely
    def failing() -> None:
        raise BadInput("job_not_found", job=7)

    assert failing() == gr.skip()
    assert shown == ["There is no job 7. The Runs page lists all jobs."]


def test_it_speaks_the_readers_language(shown: list[str]) -> None:
    @safely
    def failing() -> None:
        raise BadInput("job_not_found", job=7)

    request = gr.Request(Request({"type": "http", "headers": [(b"cookie", b"lang=zh-CN")]}))
    token = LocalContext.request.set(request)
    failing()
    LocalContext.request.reset(token)
    assert "7" in shown[0] and "There" not in shown[0]


def test_outside_text_in_a_sentence_is_escaped(shown: list[str]) -> None:
    @safely
    def failing() -> None:
        raise BadInput("job_not_found", job="<img src=x onerror=alert(1)>")

    failing()
    assert "<img" not in shown[0]


def test_an_unexpected_error_is_logged_and_shown_without_a_trace(
    shown: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    @safely
    def failing() -> None:
        raise RuntimeError("secret detail")

    assert failing() == gr.skip()
    assert "web.log" in shown[0] and "secret" not in shown[0]
    assert "secret detail" in caplog.text


def test_what_was_meant_for_the_reader_passes(shown: list[str]) -> None:
    @safely
    def failing() -> None:
        raise gr.Error("as it is")

    with pytest.raises(gr.Error):
        failing()


def test_a_generator_keeps_what_it_gave(shown: list[str]) -> None:
    @safely
    def failing() -> Iterator[int]:
        yield 1
        raise BadInput("job_not_found", job=7)

    assert inspect.isgeneratorfunction(failing)
    assert list(failing()) == [1, gr.skip()]
    assert len(shown) == 1


def test_async_functions_and_generators(shown: list[str]) -> None:
    @safely
    async def failing() -> None:
        raise BadInput("job_not_found", job=7)

    @safely
    async def streaming() -> AsyncIterator[int]:
        yield 1
        raise BadInput("job_not_found", job=7)

    async def everything() -> list[Any]:
        return [await failing(), *[value async for value in streaming()]]

    assert asyncio.run(everything()) == [gr.skip(), 1, gr.skip()]
    assert inspect.isasyncgenfunction(streaming) and len(shown) == 2


def test_gradio_still_sees_the_handlers_own_arguments() -> None:
    @safely
    def handler(value: str, request: gr.Request) -> str:
        return value

    assert list(inspect.signature(handler).parameters) == ["value", "request"]
    assert handler.__name__ == "handler"
