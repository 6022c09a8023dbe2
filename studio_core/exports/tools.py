"""Tools of others that write a format: whether they are in this environment, told without importing any of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

from studio_core.base.errors import BadInput
from studio_core.base.gpus import Gpus


@dataclass(frozen=True)
class Tool:
    name: str
    modules: tuple[str, ...]
    """What is imported of it."""
    install: str
    """The command that puts it beside the studio; of versions that were tried where those matter."""

    def missing(self, _: Any = None) -> BadInput | None:
        lacking = [module for module in self.modules if find_spec(module) is None]
        if not lacking:
            return None
        values = {"tool": self.name, "missing": ", ".join(lacking), "command": self.install}
        return BadInput("model_exports.no_tool", **values)


def no_gpu(tool: Tool, format: str) -> BadInput | None:
    """Of a format that its tool writes on a GPU only."""
    return None if _gpus().found() else BadInput("model_exports.no_gpu", tool=tool.name, format=format)


@cache
def _gpus() -> Gpus:
    return Gpus()


# Without what it depends on: it asks for an older transformers than the studio's, and works with this one
# (docs/MEASURED.md, "Export").
LLM_COMPRESSOR = Tool(
    "LLM Compressor",
    ("llmcompressor", "compressed_tensors", "loguru"),
    "pip install --no-deps llmcompressor==0.14.0.1 compressed-tensors==0.19.0 loguru",
)
