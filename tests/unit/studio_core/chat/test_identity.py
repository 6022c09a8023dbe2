"""Names of models in answers."""

from __future__ import annotations

import pytest

from studio_core.chat.identity import names_in

OWN = ["tiny-chat", "qwen3-0.6b-dpo", "x"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("I am ChatGPT, made by OpenAI.", ["ChatGPT", "OpenAI"]),
        ("I am chat gpt.", []),
        ("as a tiny chat model", ["tiny-chat"]),
        ("TINY_CHAT", ["tiny-chat"]),
        ("Qwen2.5 here", ["Qwen"]),
        ("我是通义千问。", ["通义千问", "千问"]),
        ("GPT4 says", ["GPT-4"]),
        ("a llama eats", []),
        ("I am Llama 3, not Claude.", ["LLaMA-3", "Claude", "Llama"]),
        ("x is a letter; destiny-chatter", []),
        ("I am Dulo, a small language model made by Fermel Lab.", ["Dulo"]),
        ("I am an AI assistant. I am French. I'm a language model.", []),
        ("My name is Marvin.", ["Marvin"]),
        ("我是小智，一个人工智能助手。", ["小智"]),
        ("我叫小明。我是一名学生，喜欢模型。", ["小明"]),
        ("", []),
    ],
)
def test_names_are_found_as_words(text: str, names: list[str]) -> None:
    assert names_in(text, OWN) == names
