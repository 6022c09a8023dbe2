"""A LoRA adapter as GGUF: llama.cpp puts it on a GGUF of the base (``--lora``)."""

from __future__ import annotations

from typing import Any, Literal

from studio_core.base.errors import BadInput
from studio_core.exports import llama_cpp
from studio_core.exports.base import ExportOptions, Format, Subject, no_adapter
from studio_core.models import plain_lora
from studio_core.options import option


class GgufLoraOptions(ExportOptions):
    type: Literal["F32", "F16"] = option("F16", advanced=False)


def _against(subject: Subject, _: Any) -> list[BadInput]:
    if problems := no_adapter(subject):
        return problems
    kind = str(subject.adapter_config.get("peft_type"))
    besides = [kind[:40]] if kind != "LORA" else plain_lora.besides(subject.adapter_config)
    if subject.adapter_config.get("alpha_pattern"):
        besides.append("alpha_pattern")  # One alpha is all that such a file has.
    problems = llama_cpp.against(subject)
    if besides:
        what = ", ".join(besides)
        problems.append(BadInput("model_exports.more_than_lora", model=subject.name, what=what))
    return problems


GGUF_LORA = Format("gguf_lora", GgufLoraOptions, answers_by="llama.cpp", against=_against)
