"""Answers that give away who wrote them: a blind vote on such an answer is not blind."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

FAMILIES = (
    "ChatGPT", "GPT-3", "GPT-4", "GPT-5", "GPT-OSS", "OpenAI", "Anthropic", "Gemma", "Google DeepMind",
    "LLaMA-2", "LLaMA-3", "Meta AI", "Mixtral", "Qwen", "QwQ", "Alibaba", "DeepSeek", "ChatGLM", "Zhipu",
    "Moonshot AI", "Baichuan", "ERNIE Bot", "Hunyuan", "InternLM", "Yi-34B", "01.AI", "MiniMax", "Doubao", "Vicuna",
    "Phi-3", "Phi-4", "xAI", "Command-R", "SmolLM", "Hugging Face", "Nemotron", "OLMo", "StableLM",
    "OpenAssistant",
    "通义千问", "千问", "阿里巴巴", "阿里云", "智谱", "文心一言", "混元", "豆包", "月之暗面", "深度求索", "百川",
    "讯飞星火", "零一万物",
)  # fmt: skip
"""Models and their makers, as models call themselves."""
WORDS = (
    "Claude",
    "Gemini",
    "Llama",
    "LLaMA",
    "Mistral",
    "Alpaca",
    "Falcon",
    "Grok",
    "Kimi",
    "Copilot",
    "Zephyr",
)
"""Those that are words or names besides: they are meant only as they are written here."""
_SHORTEST = 4
"""Letters of a name of the studio that is looked for; shorter ones are words like any other."""


def names_in(text: str, own: Iterable[str] = ()) -> list[str]:
    """Which of the known families, or of the ``own`` names of models, a text says."""
    found = [name for name in FAMILIES if _pattern(name).search(text)]
    found += [name for name in WORDS if _pattern(name, re.NOFLAG).search(text)]
    found += [name for name in own if len(name) >= _SHORTEST and _pattern(name).search(text)]
    return list(dict.fromkeys(found))


@cache
def _pattern(name: str, flags: re.RegexFlag = re.IGNORECASE) -> re.Pattern[str]:
    """The name as a word of its own, whatever joins its parts."""
    parts = [re.escape(part) for part in re.split(r"[\s_.-]+", name) if part]
    joined = r"[\s_.-]*".join(parts) or r"(?!)"
    if name.isascii():
        joined = rf"(?<![A-Za-z0-9]){joined}(?![A-Za-z])"
    return re.compile(joined, flags)
