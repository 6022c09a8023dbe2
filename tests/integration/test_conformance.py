"""Every method conforms with full tuning and LoRA, and SFT with every way of tuning there is.

What else can be had together is tried briefly in ``test_tunings.py`` (``combinations.py`` says which). So conform two
toy methods and a toy tuning, which are there for this test only and of which no file of the studio knows.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from studio_core import texts
from studio_core.methods import METHODS
from studio_core.methods.sft import SFT
from studio_core.tunings import TUNINGS
from tests.combinations import proof
from tests.integration.method_conformance import Case, MethodConformance
from tests.integration.toys import applause, echo, norms

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.

SHIPPED = [
    Case(method, tuning)
    for method in METHODS.values()
    for tuning in method.tunings.values()
    if proof(method, tuning) == "conforms"
]
SHIPPED.append(Case(SFT, TUNINGS["lora"], {"lora_init": "pissa", "lora_plus": 2.0}))


class TestShipped(MethodConformance):
    @pytest.fixture(scope="class", params=SHIPPED, ids=str)
    def case(self, request: pytest.FixtureRequest) -> Case:
        given: Case = request.param
        return given


class TestToys(MethodConformance):
    @pytest.fixture(scope="class", params=["both", "method", "tuning", "pairs"])
    def case(self, request: pytest.FixtureRequest) -> Iterator[Case]:
        """A toy method with the toy tuning, with full tuning, the toy tuning with a method of the studio, and the toy
        method that learns from pairs."""
        with pytest.MonkeyPatch.context() as patch:
            for toy in (echo.METHOD, applause.METHOD):
                patch.setitem(METHODS, toy.name, toy)
            patch.setitem(TUNINGS, "norms", norms.TUNING)
            for language in texts.LANGUAGES:
                for key, sentence in {**echo.TEXTS, **applause.TEXTS, **norms.TEXTS}.items():
                    patch.setitem(texts.catalogue(language), key, sentence)
            method = {"tuning": METHODS["dpo"], "pairs": applause.METHOD}.get(request.param, echo.METHOD)
            tuning = TUNINGS["full"] if request.param == "method" else norms.TUNING
            yield Case(method, tuning, {"learning_rate": 0.01})
