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
_SELF = (
    # "I am Dulo, a small language model", "My name is Dulo"; the same in Chinese.
    re.compile(
        # Only where a model, an assistant or the like follows in the same
        # sentence: "I am Paris" is an answer.
        r"\b(?:I am|I'm|I’m) ([A-Z][\w-]*(?: [A-Z][\w-]*)*)(?=[^.!?\n]{0,80}?\b(?:model|assistant|AI|chatbot)\b)"
    ),
    re.compile(r"\b[Mm]y name is ([A-Z][\w-]*(?: [A-Z][\w-]*)*)"),
    # "我是一个助手" (I am an assistant) has no name in it: a name does not begin with 一.
    re.compile(r"我是\s*(?!一)([A-Za-z][\w-]*|[\u4e00-\u9fff]{1,8}?)\s*[，,][^。！？\n]{0,40}?(?:模型|助手)"),
    re.compile(r"我(?:叫|的名字[是叫])\s*([A-Za-z][\w-]*|[\u4e00-\u9fff]{1,8})"),
)
"""How a model introduces itself by a name that nobody else knows."""
# Bounds the time of some hundred patterns over a text that a model wrote.
LONGEST = 50_000
"""Letters of a text that are looked at; answers that say more name their model before."""
# A model called "new" or "v2" would be found in half of all answers.
_SHORTEST = 4
"""Letters of a name of the studio that is looked for; shorter ones are words like any other."""


def names_in(text: str, own: Iterable[str] = ()) -> list[str]:
    """Which of the known families, or of the ``own`` names of models, a text says; and as whom it introduces itself."""
    text = text[:LONGEST]
    # In any letter case, but for words that mean something else in lower case.
    found = [name for name in FAMILIES if _pattern(name).search(text)]
    found += [name for name in WORDS if _pattern(name, re.NOFLAG).search(text)]
    found += [name for name in own if len(name) >= _SHORTEST and _pattern(name).search(text)]
    found += [match[1] for pattern in _SELF for match in pattern.finditer(text)]
    return list(dict.fromkeys(found))


@cache
def _pattern(name: str, flags: re.RegexFlag = re.IGNORECASE) -> re.Pattern[str]:
    """The name as a word of its own, whatever joins its parts."""
    parts = [re.escape(part) for part in re.split(r"[\s_.-]+", name) if part]
    joined = r"[\s_.-]*".join(parts) or r"(?!)"
    if name.isascii():
        # A digit may follow, since "Qwen2" is Qwen; a letter may not, or "Yi" would be in "Yield".
        joined = rf"(?<![A-Za-z0-9]){joined}(?![A-Za-z])"
    return re.compile(joined, flags)
