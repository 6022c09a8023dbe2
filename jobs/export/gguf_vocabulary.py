"""The tokenizer in a GGUF: its tokens and merges, which of them are control tokens, and the chat template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gguf
from gguf import TokenType

from jobs.generation.stopping import template_end
from studio_core.base.errors import BadInput
from studio_core.exports import llama_cpp
from studio_core.exports.base import Subject
from studio_core.models.inspect import chat_template

_NEVER = -1e6
"""The score of a token that no merge makes: it is found whole or not at all."""


def add(writer: gguf.GGUFWriter, subject: Subject, tokenizer: Any) -> None:
    """``tokenizer`` is the one that transformers loads: what it does before a text counts."""
    document = llama_cpp.tokenizer_document(subject.tokens)
    kind = llama_cpp.tokenizer_kind(document, subject.name)
    rows = int(subject.config["vocab_size"])
    if (highest := _highest(document)) >= rows:
        what = f"{highest + 1} tokens, {rows} rows"
        raise BadInput("model_exports.tokenizer", model=subject.name, what=what)
    tokens, types = _tokens(document, rows, by_bytes=kind.model == "llama")
    writer.add_tokenizer_model(kind.model)
    writer.add_tokenizer_pre(kind.pre)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    merges = [
        tuple(pair.split(" ", 1) if isinstance(pair, str) else pair) for pair in document["model"]["merges"]
    ]
    if kind.model == "llama":
        writer.add_token_scores(_scores(tokens, merges))
        writer.add_add_space_prefix(kind.prefix_space)
    else:
        # A space inside a part would part it once more; in letters for bytes there is none.
        writer.add_token_merges([" ".join(pair) for pair in merges])
    _add_special(writer, tokenizer)
    template = chat_template(subject.tokens) or chat_template(subject.folder)
    if template is not None:
        writer.add_chat_template(template)


def _highest(document: Mapping[str, Any]) -> int:
    """The largest number that a token has."""
    added = [token["id"] for token in document.get("added_tokens", [])]
    return max([*document["model"]["vocab"].values(), *added], default=-1)


def _tokens(document: Mapping[str, Any], size: int, *, by_bytes: bool) -> tuple[list[str], list[TokenType]]:
    """Tokens by their number, and what each is. Rows of the embedding that no token has are filled up."""
    tokens = [f"[PAD{number}]" for number in range(size)]
    types = [TokenType.UNUSED] * size
    for token, number in document["model"]["vocab"].items():
        one_byte = by_bytes and len(token) == 6 and token.startswith("<0x") and token.endswith(">")
        tokens[number], types[number] = token, TokenType.BYTE if one_byte else TokenType.NORMAL
    unknown = document["model"].get("unk_token")
    for added in document.get("added_tokens", []):
        number, special = added["id"], added.get("special")
        tokens[number] = added["content"]
        types[number] = TokenType.CONTROL if special else TokenType.USER_DEFINED
        if by_bytes and added["content"] == unknown:
            types[number] = TokenType.UNKNOWN
    return tokens, types


def _scores(tokens: list[str], merges: list[tuple[str, ...]]) -> list[float]:
    """SentencePiece merges the pair whose token has the highest score: the earlier a merge stands, the higher it is."""
    ranks: dict[str, int] = {}
    for rank, pair in enumerate(merges):
        ranks.setdefault("".join(pair), rank)
    return [-float(ranks[token]) if token in ranks else _NEVER for token in tokens]


def _add_special(writer: gguf.GGUFWriter, tokenizer: Any) -> None:
    named = {
        "bos": tokenizer.bos_token_id,
        "eos": tokenizer.eos_token_id,
        "unk": tokenizer.unk_token_id,
        "pad": tokenizer.pad_token_id,
        # Where turns end otherwise than texts: both end an answer.
        "eot": next(iter(template_end(tokenizer).tokens), None) if tokenizer.chat_template else None,
    }
    for name, token in named.items():
        if token is not None and not (name == "eot" and token == tokenizer.eos_token_id):
            getattr(writer, f"add_{name}_token_id")(token)
    plain, whole = (tokenizer("a", add_special_tokens=own)["input_ids"] for own in (False, True))
    writer.add_add_bos_token(whole[:1] == [tokenizer.bos_token_id] and whole != plain)
    writer.add_add_eos_token(whole[-1:] == [tokenizer.eos_token_id] and whole[-1:] != plain[-1:])
