"""A complete model in the format of Hugging Face: the base with the adapter added to its weights.

It is added in fp32 and rounded once, to the precision that is asked for.
"""

from __future__ import annotations

from typing import Any, Literal

from studio_core.base.errors import BadInput
from studio_core.exports.base import ExportOptions, Format, Subject, unmergeable
from studio_core.options import option


class MergedOptions(ExportOptions):
    # As the base was stored: another one makes the file larger or rounds a second time.
    precision: Literal["stored", "float32", "bfloat16", "float16"] = option("stored", advanced=False)


def _against(subject: Subject, _: Any) -> list[BadInput]:
    return unmergeable(subject)


MERGED = Format("merged", MergedOptions, answers_by="transformers", against=_against)
