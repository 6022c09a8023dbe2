"""Every method conforms with every way of tuning that it can be had with.

So do a toy method and a toy tuning, which are there for this test only and of which no file of the studio knows.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from studio_core import texts
from studio_core.methods import METHODS
from studio_core.tunings import TUNINGS
from tests.integration.method_conformance import Case, MethodConformance
from tests.integration.toys import echo, norms

pytestmark = pytest.mark.filterwarnings("ignore")  # The libraries' own.

SHIPPED = [Case(method, tuning) for method in METHODS.values() for tuning in method.tunings.values()]


class TestShipped(MethodConformance):
    @pytest.fixture(scope="class", params=SHIPPED, ids=str)
    def case(self, request: pytest.FixtureRequest) -> Case:
        given: Case = request.param
        return given


class TestToys(MethodConformance):
    @pytest.fixture(scope="class", params=["both", "method", "tuning"])
    def case(self, request: pytest.FixtureRequest) -> Iterator[Case]:
        """The toy method with the toy tuning, with full tuning, and the toy tuning with a method of the studio."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(METHODS, "echo", echo.METHOD)
            patch.setitem(TUNINGS, "norms", norms.TUNING)
            for language in texts.LANGUAGES:
                for key, sentence in {**echo.TEXTS, **norms.TEXTS}.items():
                    patch.setitem(texts.catalogue(language), key, sentence)
            method = METHODS["dpo"] if request.param == "tuning" else echo.METHOD
            tuning = TUNINGS["full"] if request.param == "method" else norms.TUNING
            yield Case(method, tuning, {"learning_rate": 0.01})
