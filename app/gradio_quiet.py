"""Makes ``import gradio`` quick and silent. Imported before anything that imports Gradio.

At every import Gradio renders a ``.pyi`` file for each of its 80 component
classes again: one second of processor time, and litter next to our sources.
It returns early when it cannot find the source of a class, so for this one
caller ``inspect.getfile`` says that there is none.
"""

from __future__ import annotations

import inspect
import os
import sys
from typing import Any

# Gradio reads these while it is imported: no call leaves the machine.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

_getfile = inspect.getfile


def _getfile_unless_for_stubs(object: Any) -> str:
    if sys._getframe(1).f_code.co_name == "create_or_modify_pyi":
        raise OSError("no stubs are wanted")
    return _getfile(object)


inspect.getfile = _getfile_unless_for_stubs
