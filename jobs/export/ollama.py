"""A GGUF with Ollama's Modelfile beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobs import template_time
from jobs.export import gguf
from jobs.export.answering import Work
from studio_core.exports import modelfile

_CONTEXT = 8192
"""Tokens, unless somebody asks for more: their keys and values take memory from the start."""

answers = gguf.answers
"""Of the file itself, by its own template; whether Go's writes the same was tried when the export was asked for."""


def write(work: Work, folder: Path) -> dict[str, Any]:
    told = gguf.write(work, folder)
    options, subject = work.options, work.subject
    with template_time.limited():
        template = modelfile.template_of(subject.tokens, subject.folder)
    parameters = [
        # Its own default cuts long conversations without a word.
        ("num_ctx", options.num_ctx or min(_CONTEXT, int(subject.config["max_position_embeddings"]))),
        ("temperature", options.temperature),
        ("top_p", options.top_p),
    ]
    text = modelfile.written(gguf.file_in(work, folder).name, template, parameters, options.system)
    (folder / "Modelfile").write_text(text, encoding="utf-8")
    return told
