"""The adapter as it is: for PEFT, and for servers that load adapters on a base that they have."""

from __future__ import annotations

from typing import Any

from studio_core.base.errors import BadInput
from studio_core.exports.base import ExportOptions, Format, Subject, no_adapter


class AdapterOptions(ExportOptions):
    pass


def _against(subject: Subject, _: Any) -> list[BadInput]:
    return no_adapter(subject)


ADAPTER = Format("adapter", AdapterOptions, answers_by="transformers", against=_against)
