"""``methods`` and ``tunings`` of the command line: what other programs read of them is what a training takes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.cli import run
from studio_core.methods import METHODS
from studio_core.tunings import TUNINGS


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert run([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_every_method_is_listed_with_all_that_a_training_by_it_takes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    documents = printed(capsys, "methods", "list")
    assert [document["method"] for document in documents] == list(METHODS)
    for document, method in zip(documents, METHODS.values(), strict=True):
        assert document == printed(capsys, "methods", "show", method.name)
        assert document["tunings"] == list(method.tunings)
        assert {role["role"] for role in document["roles"]} == {role.name for role in method.roles}
        assert [option["option"] for option in document["options"]] == list(method.Options.model_fields)
        assert all(option["title"] and option["help"] for option in document["options"])
    [dpo] = [document for document in documents if document["method"] == "dpo"]
    [beta] = [option for option in dpo["options"] if option["option"] == "beta"]
    assert (beta["default"], beta["minimum"], beta["maximum"], beta["kind"]) == (0.1, 0.001, 10.0, "float")
    assert dpo["roles"][1] == {
        "role": "reference",
        "learns": False,
        "named_by": None,
        "begins_as": "policy",
        "optional": False,
    }


def test_every_tuning_is_listed_with_what_it_cannot_do(capsys: pytest.CaptureFixture[str]) -> None:
    documents = {document["tuning"]: document for document in printed(capsys, "tunings", "list")}
    assert list(documents) == list(TUNINGS)
    assert documents["full"]["result"] == "model" and documents["lora"]["result"] == "adapter"
    assert documents["lora"]["mixes"] and not documents["full"]["mixes"]
    for name, tuning in TUNINGS.items():
        assert documents[name] == printed(capsys, "tunings", "show", name)
        excluded = {f"method {method.name}" for method in METHODS.values() if name not in method.tunings}
        assert excluded <= set(documents[name]["cannot"])
        assert ("packing" in documents[name]["cannot"]) is not tuning.packs


def test_for_people_they_are_tables_and_a_name_that_is_not_there_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert (
        run(["methods", "list"]) == run(["methods", "show", "kto"]) == run(["tunings", "show", "lora"]) == 0
    )
    printed = capsys.readouterr().out
    assert "lora_rank" in printed and "1 to 512" in printed and "policy (--model, learns)" in printed
    assert run(["methods", "show", "nope"]) == run(["tunings", "show", "nope"]) == 2
    assert "nope" in capsys.readouterr().err
