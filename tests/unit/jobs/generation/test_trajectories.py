"""What stands between two turns of a model, in the templates of well-known models."""

from __future__ import annotations

import json

import pytest

from jobs.generation.trajectories import Continuation
from studio_core.base.errors import BadInput
from studio_core.data.chat_format import ChatFormat
from studio_core.data.conversation import conversation
from studio_core.data.shapes import Message
from studio_core.environments import CALCULATOR
from studio_core.environments.base import Result
from studio_core.models.chat_template import ChatTemplate
from tests.unit.studio_core.data.test_sequences import TEMPLATES, chat_format

ENDS = {"chatml": "<|im_end|>", "llama": "<|eot_id|>", "gemma": "<end_of_turn>", "qwen3": "<|im_end|>"}


def rendered(chat: ChatFormat, messages: list[Message]) -> list[int]:
    asked = conversation(chat.places, messages, json.loads(CALCULATOR.definitions))
    [encoded] = chat.encode([chat.render(asked.messages, asked.tools, opened=True)])
    return encoded.ids


@pytest.mark.parametrize("name", [*ENDS])
def test_a_result_is_put_behind_a_turn_as_the_template_writes_it(name: str) -> None:
    chat = chat_format(name)
    end = chat.tokenizer.token_to_id(ENDS[name])
    assert name in TEMPLATES and end is not None
    ids = Continuation(chat, CALCULATOR).between([Result("1776"), Result("12")], end)
    call = {"name": "calculator", "arguments": {"expression": "37*48"}}
    whole = rendered(
        chat,
        [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "", "tool_calls": json.dumps([call])},
            {"role": "tool", "content": "1776"},
            {"role": "tool", "content": "12"},
        ],
    )
    assert whole[-len(ids) :] == ids and whole[-len(ids) - 1] == end
    text = chat.tokenizer.decode(ids)
    assert text.index("1776") < text.rindex("12")


def test_a_template_whose_calls_are_not_read_is_refused() -> None:
    chat = chat_format("chatml")
    source = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}"
        "{% for call in m.tool_calls or [] %}!!{{ call.function.name }}{% endfor %}<|im_end|>\n{% endfor %}"
        "{% if tools %}{{ tools[0].function.name }}{% endif %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    odd = ChatFormat(chat.tokenizer, ChatTemplate(source), chat.end, standard=False)
    with pytest.raises(BadInput) as refused:
        Continuation(odd, CALCULATOR)
    assert refused.value.key == "methods.rollouts.calls_not_read"
