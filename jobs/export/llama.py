"""llama.cpp in this process: what a GGUF answers, and into which tokens it splits a text.

``xllamacpp`` brings llama.cpp's own server, which listens on the loopback address alone and asks for a key that only
this process knows. Its chat template, its tokenizer and its stops are those that everybody else's llama.cpp has.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import torch
import xllamacpp

from jobs.export.answering import Answers, Original, Work, shown
from studio_core.base.errors import BadInput, StudioError

TRIED = (
    "Hello, World! 3.14159 + 27 = 30.14159; it's 100% sure.\n\n\tdef f(x):\n        return x  # two  spaces\n"
    "  Ça va? Größe, señor, Łódź. 你好，世界！こんにちは 안녕하세요 Привет שלום مرحبا 🙂👩‍🔬\r\n"
    'I\'LL we\'ve they\'d ...   ---  <tag attr="1"> {"a": [1, 2]} https://example.org/a?b=c_d 1,234,567 ½ ²\n'
)
"""A text in which tokenizers differ: figures, short forms, space, accents, scripts, letters of several bytes."""

_ROOM = 64
"""Tokens of a context beyond questions and answers."""


class Llama:
    """A GGUF that is loaded, with a LoRA adapter on it if one is named. A context: it ends with it."""

    def __init__(self, file: Path, work: Work, original: Original, lora: Path | None = None) -> None:
        self._name = work.run.model.name
        key = secrets.token_hex(16)
        longest = max(map(len, original.answers.tokens), default=0)
        trained = int(work.subject.config["max_position_embeddings"])
        params = xllamacpp.CommonParams()
        params.model.path = str(file)
        # Twice: should it make more tokens of a question, that is to be told and not to fail.
        params.n_ctx = min(trained, 2 * longest + work.run.spec.max_tokens + _ROOM)
        params.n_parallel, params.n_gpu_layers, params.fit_params = 1, 0, False
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = torch.get_num_threads()
        params.use_jinja, params.warmup, params.ui = True, False, False
        params.verbosity, params.api_keys = 0, [key]
        if lora is not None:
            params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(lora), 1.0)]
        try:
            self._server = xllamacpp.Server(params)
        except RuntimeError as error:
            raise StudioError("model_exports.llama_cpp_refuses", model=self._name, file=file.name) from error
        # No limit of time: a large model may take minutes for an answer.
        self._client = httpx.Client(
            base_url=self._server.listening_address,
            headers={"Authorization": f"Bearer {key}"},
            timeout=None,
            trust_env=False,
        )

    def __enter__(self) -> Llama:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        del self._server

    def tokens(self, text: str, *, control: bool) -> list[int]:
        """Of a text; with ``control`` what spells a control token is one, and those that belong before it are there."""
        document = {"content": text, "add_special": control, "parse_special": control}
        return list(self._ask("/tokenize", document)["tokens"])

    def prompt(self, messages: list[dict[str, Any]]) -> str:
        """A conversation by the template in the file, up to where the answer begins."""
        return str(self._ask("/apply-template", {"messages": messages})["prompt"])

    def answer(self, prompt: list[int], max_tokens: int) -> str:
        """The likeliest answer."""
        document = {"prompt": prompt, "n_predict": max_tokens, "temperature": 0.0, "cache_prompt": False}
        return str(self._ask("/completion", document)["content"])

    def _ask(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        reply = self._client.post(path, json=document)
        if reply.status_code != 200:
            reason = reply.text[:300]
            raise StudioError("model_exports.llama_cpp_failed", model=self._name, path=path, reason=reason)
        told: dict[str, Any] = reply.json()
        return told


def answers_of(work: Work, llama: Llama, original: Original) -> Answers:
    """What the file answers, from its own tokens. Raises ``BadInput`` if it splits a text otherwise than the model."""
    require_same_tokens(work, llama)
    texts, tokens = [], []
    for place, messages in enumerate(work.run.prompts, start=1):
        text = llama.prompt(messages) if original.chat else shown(messages)
        tokens.append(llama.tokens(text, control=True))
        texts.append(llama.answer(tokens[-1], work.run.spec.max_tokens))
        work.step(len(work.run.prompts) + place)
    return Answers(texts, tokens, f"llama.cpp (xllamacpp {xllamacpp.__version__})")


def require_same_tokens(work: Work, llama: Llama) -> None:
    """Of ``TRIED``, line by line and as a whole: other tokens are other questions to the model."""
    tokenizer = work.tokenizer
    for text in (TRIED, *TRIED.splitlines()):
        wanted = tokenizer(text, add_special_tokens=False)["input_ids"]
        if wanted != (got := llama.tokens(text, control=False)):
            at = next(
                (n for n, pair in enumerate(zip(wanted, got, strict=False)) if pair[0] != pair[1]), len(got)
            )
            said = tokenizer.decode(wanted[max(0, at - 2) : at + 3])
            raise BadInput("model_exports.other_tokens", model=work.run.model.name, text=said[:80])
