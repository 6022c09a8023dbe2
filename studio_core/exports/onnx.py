"""One ONNX graph with its key-value cache, written by transformers' own exporter and answered by ONNX Runtime."""

from __future__ import annotations

from typing import Any

from studio_core.base.errors import BadInput
from studio_core.exports.base import ExportOptions, Format, Subject, unmergeable
from studio_core.exports.tools import Tool

TOOL = Tool("ONNX", ("onnx", "onnxscript", "onnxruntime"), "pip install onnx onnxscript onnxruntime")


class OnnxOptions(ExportOptions):
    pass


def _against(subject: Subject, _: Any) -> list[BadInput]:
    return unmergeable(subject)


ONNX = Format(
    "onnx",
    OnnxOptions,
    answers_by="onnxruntime",
    against=_against,
    missing=TOOL.missing,
    # ONNX Runtime goes by several names; the comparison tells its version.
    libraries=("onnx", "onnxscript"),
)
