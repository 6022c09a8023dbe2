"""Where an answer is over: at the model's end tokens, and at what its chat template ends turns with."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs import template_time
from studio_core.data.turn_end import TurnEnd, turn_end


@dataclass(frozen=True)
class Stops:
    tokens: frozenset[int]
    texts: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, model: Any, tokenizer: Any, template: str | None = None, adapter: str | Path | None = None
    ) -> Stops:
        """Of a model that is loaded; ``template`` is used if its tokenizer has none, ``adapter`` is a folder."""
        end = template_end(tokenizer, template)
        named = [*end_tokens(model.generation_config), *_of_folder(adapter), tokenizer.eos_token_id]
        return cls(frozenset(token for token in [*named, *end.tokens] if token is not None), end.texts)

    @classmethod
    def of_folder(cls, folder: Path, tokenizer: Any) -> Stops:
        """Of a model that another program runs, from the files beside it."""
        end = template_end(tokenizer)
        named = [*_of_folder(folder), tokenizer.eos_token_id, *end.tokens]
        return cls(frozenset(token for token in named if token is not None), end.texts)


def template_end(tokenizer: Any, template: str | None = None) -> TurnEnd:
    """What the tokenizer's chat template, or else ``template``, ends an answer with; nothing if there is none."""
    template = tokenizer.chat_template or template
    if not template:
        return TurnEnd()
    with template_time.limited():
        return turn_end(
            lambda messages, opened: tokenizer.apply_chat_template(
                messages, chat_template=template, add_generation_prompt=opened, tokenize=False
            ),
            lambda text: tokenizer(text, add_special_tokens=False)["input_ids"],
            {token: added.content for token, added in tokenizer.added_tokens_decoder.items()},
        )


def end_tokens(generation_config: Any) -> list[int]:
    """The tokens that generation settings end at: none, one or a list of them."""
    named = getattr(generation_config, "eos_token_id", None)
    return [token for token in (named if isinstance(named, list) else [named]) if token is not None]


def _of_folder(adapter: str | Path | None) -> Iterable[int]:
    """Those that were saved beside an adapter: what it was taught to end at, its base may never write."""
    file = Path(adapter or "") / "generation_config.json"
    if adapter is None or not file.is_file():
        return []
    named = json.loads(file.read_text(encoding="utf-8")).get("eos_token_id")
    return [token for token in (named if isinstance(named, list) else [named]) if isinstance(token, int)]
