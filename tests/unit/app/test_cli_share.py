"""``jobs share | links | unshare``."""

from __future__ import annotations

import json

import pytest

from app.cli import run
from studio_core.base.studio import Studio
from studio_core.notices import links
from studio_core.runs import queue


def test_a_link_from_beginning_to_end(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--home", str(studio.settings.home)]
    queue.submit(studio, kind="train", name="mine", spec={}, method="sft")
    assert run(["jobs", "share", "1", "--json", "--address", "https://studio.example.org/", *home]) == 0
    made = json.loads(capsys.readouterr().out)
    address, _, token = made["url"].rpartition("/")
    assert address == "https://studio.example.org/shared" and not made["answers"]
    assert links.opened(studio, token)
    assert run(["jobs", "share", "1", "--answers", *home]) == 0
    assert "this machine only" in capsys.readouterr().out
    assert run(["jobs", "links", "1", "--json", *home]) == 0
    assert [link["answers"] for link in json.loads(capsys.readouterr().out)] == [True, False]
    assert run(["jobs", "unshare", "1", *home]) == 0
    assert links.opened(studio, token) is None
    assert run(["jobs", "unshare", "7", *home]) == run(["jobs", "share", "7", *home]) == 2
