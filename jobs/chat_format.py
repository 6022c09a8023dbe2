"""How a loaded model's conversations become tokens: in training, in chat and in work on data alike."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedTokenizerBase

from jobs import template_time
from studio_core.base.errors import BadInput
from studio_core.data.chat_format import ChatFormat
from studio_core.models.chat_template import STANDARD_TEMPLATE, ChatTemplate
from studio_core.runs.spec import ResolvedModel


def chat_format(model: ResolvedModel, tokenizer: PreTrainedTokenizerBase) -> ChatFormat:
    """How records become tokens: by the model's own ``tokenizer.json``, as the page shows it.

    A tokenizer in an older form is converted by transformers. Raises ``BadInput`` for one that is a program of
    its own, since nobody could be shown what is learnt. The template's program is limited in time, both when it is
    compiled, which computes its constants, and whenever it writes a conversation.
    """
    with template_time.limited():
        chat = _chat_format(model, tokenizer)
    chat.template.limited = template_time.limited
    return chat


def _chat_format(model: ResolvedModel, tokenizer: PreTrainedTokenizerBase) -> ChatFormat:
    folder = Path(model.path)
    own = model.adapter and (Path(model.adapter) / "tokenizer.json").exists()
    if own or (folder / "tokenizer.json").exists():
        return ChatFormat.of(model)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise BadInput("data.no_tokenizer", folder=folder)
    template = ChatTemplate(
        str(tokenizer.chat_template or model.chat_template or STANDARD_TEMPLATE), tokenizer.special_tokens_map
    )
    return ChatFormat(backend, template, str(tokenizer.eos_token), tokenizer.chat_template is None)
