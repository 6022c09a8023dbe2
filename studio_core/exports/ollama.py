"""A GGUF with a Modelfile, for ``ollama create``: the chat template in Ollama's form, stop texts, parameters."""

from __future__ import annotations

from studio_core.base.errors import BadInput
from studio_core.exports import gguf, modelfile
from studio_core.exports.base import Format, Subject
from studio_core.options import option


class OllamaOptions(gguf.GgufOptions):
    num_ctx: int = option(0, at_least=0, at_most=1 << 20, unit="tokens")
    temperature: float = option(0.7, at_least=0.0, at_most=2.0, advanced=False)
    top_p: float = option(0.95, at_least=0.01, at_most=1.0)
    system: str = option("", kind="prompt")


def _against(subject: Subject, options: OllamaOptions) -> list[BadInput]:
    problems = gguf.against(subject, options)
    if modelfile.TRIPLE in options.system:
        problems.append(BadInput("model_exports.system_quotes", quotes=modelfile.TRIPLE))
    if not problems:
        try:
            modelfile.template_of(subject.tokens, subject.folder)
        except BadInput as problem:
            problems.append(problem)
    return problems


OLLAMA = Format("ollama", OllamaOptions, answers_by="llama.cpp", against=_against, missing=gguf.missing)
