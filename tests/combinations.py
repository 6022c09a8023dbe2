"""Which methods can be had with which ways of tuning, and how well each pair is proven.

``test_conformance.py`` and ``test_tunings.py`` take their cases from here, and so does the table of docs/REFERENCE.md.
"""

from __future__ import annotations

from typing import Literal

from studio_core.methods.base import Method
from studio_core.tunings.base import Tuning

IN_FULL = ("full", "lora")
"""With these every method passes the whole suite; with all others one does, and the rest are tried: the suite for all
pairs would take a quarter of an hour."""
THOROUGH = "sft"
IN_FOUR_BITS = ("dpo", "reward", "distillation")
"""Also with QLoRA: a method of each kind, by a trainer with a reference, one that scores, and one written out."""

Proof = Literal["conforms", "tried", "not offered"]


def proof(method: Method, tuning: Tuning) -> Proof:
    """``conforms``: the whole suite of conformance. ``tried``: some steps change it, and it is saved and of use."""
    if tuning.name not in method.tunings:
        return "not offered"
    thorough = method.name == THOROUGH or (tuning.name == "qlora" and method.name in IN_FOUR_BITS)
    return "conforms" if thorough or tuning.name in IN_FULL else "tried"
