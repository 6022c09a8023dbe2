"""``environments list``."""

from __future__ import annotations

import json

import pytest

from app.cli import run
from studio_core.environments import ENVIRONMENTS


def test_the_list_names_every_environment_with_its_tools(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["environments", "list", "--json"]) == 0
    listed = {row["environment"]: row for row in json.loads(capsys.readouterr().out)}
    assert [*listed] == [*ENVIRONMENTS]
    names = [tool["function"]["name"] for tool in listed["demo_world"]["tools"]]
    assert names == ["calculator", "search"] and listed["calculator"]["help"]
    assert run(["environments", "list"]) == 0
    assert "calculator, search" in capsys.readouterr().out
