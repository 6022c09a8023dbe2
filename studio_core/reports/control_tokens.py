"""Texts that spell control tokens of chat templates, and turns in which a whole template is written out."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, ClassVar

from pydantic import BaseModel

from studio_core.data.shapes import Shape
from studio_core.reports.batch import Batch
from studio_core.reports.check import PROMPTED, Check, Rows

# Bounded lengths everywhere, so that no text makes the search slow.
SPELLED = re.compile(
    r"<\|[A-Za-z][\w-]{0,40}\|>"  # ChatML, Llama 3, Phi, gpt-oss
    r"|<｜[^｜<>]{1,40}｜>"  # DeepSeek
    r"|</?s>|<(?:bos|eos|pad|unk|start_of_turn|end_of_turn)>"  # Llama 2, Mistral, Gemma
    r"|\[/?INST\]|<</?SYS>>|\[/?(?:AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT)\]"
)
"""Control tokens as the tokenizers of open models spell them; which of them a model knows, its own tokenizer says."""

RENDERED = re.compile(
    r"<\|im_start\|>\s*(?:system|user|assistant)|<\|start_header_id\|>|<\|(?:system|user|assistant)\|>"
    r"|<\|start\|>(?:system|developer|user|assistant)|<start_of_turn>(?:user|model)"
    r"|<｜(?:User|Assistant)｜>|\[INST\]"
)
"""What opens a turn in them."""


class ControlTokens(BaseModel):
    rows: int
    """Records that spell any."""
    spelled: dict[str, int]
    """Records by spelling, the most frequent first."""
    rendered: int
    """Records in which turns of a template are written out."""


class ControlTokenCheck(Check[ControlTokens]):
    """Of conversations: corpora of plain text have ends of texts on purpose."""

    name: ClassVar[str] = "control_tokens"
    finds: ClassVar[tuple[str, ...]] = ("control_tokens", "rendered_template")
    shapes: ClassVar[frozenset[Shape]] = PROMPTED

    def __init__(self, asked: Any) -> None:
        super().__init__(asked)
        self._spelled: Counter[str] = Counter()

    def see(self, batch: Batch) -> None:
        for place, text in enumerate(batch.texts):
            # Once for a record, however often it spells it.
            spelled = set(SPELLED.findall(text))
            if not spelled:
                continue
            self._spelled.update(spelled)
            batch.flag(place, "control_tokens")
            if RENDERED.search(text):
                batch.flag(place, "rendered_template")

    def result(self, rows: Rows) -> ControlTokens:
        return ControlTokens(
            rows=len(rows.with_finding("control_tokens")),
            # There are some dozens of kinds; below twenty they are single cases.
            spelled=dict(self._spelled.most_common(20)),
            rendered=len(rows.with_finding("rendered_template")),
        )
