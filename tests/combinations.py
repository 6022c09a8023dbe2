"""Which methods can be had with which ways of tuning, and how well each pair is proven.

``test_conformance.py`` and ``test_tunings.py`` take their cases from here, and so does the table of docs/REFERENCE.md.
"""

from __future__ import annotations

from typing import Literal

from studio_core.methods.base import Method
from studio_core.tunings.base import Tuning

IN_FULL = ("full", "lora", "qlora")
"""With these every method passes the whole suite; with all others one does, and the rest are tried: the suite for all
pairs would take a quarter of an hour."""
THOROUGH = "sft"

Proof = Literal["conforms", "tried", "not offered"]


def proof(method: Method, tuning: Tuning) -> Proof:
    """``conforms``: the whole suite of conformance. ``tried``: some steps change it, and it is saved and of use."""
    if tuning.name not in method.tunings:
        return "not offered"
    return "conforms" if method.name == THOROUGH or tuning.name in IN_FULL else "tried"
