"""A helper process in which what came with a model is read and run: chat templates, tokenizers, model folders.

They are programs and files of others. In the process that serves the pages one of them could hold the
interpreter for ever, fill the memory, or end the process; here it ends a child that is started again,
and whoever asked gets a sentence. ``sandboxed`` marks a function that is carried out here.
"""

from __future__ import annotations

from studio_core.sandbox.calls import sandboxed, warm

__all__ = ["sandboxed", "warm"]
