from __future__ import annotations

import ast
import json
import re
import string
from pathlib import Path

import pytest

from studio_core import texts
from studio_core.states import Cause

FOLDER = Path(texts.__file__).parent
AREAS = sorted(file.stem for file in (FOLDER / "en").glob("*.json"))
ROOT = FOLDER.parents[1]


def entries(language: str, area: str) -> dict[str, str]:
    return json.loads((FOLDER / language / f"{area}.json").read_text(encoding="utf-8"))


def names(sentence: str) -> set[str]:
    """The values that a sentence quotes."""
    return {field for _, field, _, _ in string.Formatter().parse(sentence) if field is not None}


@pytest.mark.parametrize("area", AREAS)
def test_every_language_has_every_text_with_the_same_values(area: str) -> None:
    english, chinese = entries("en", area), entries("zh-CN", area)
    assert english.keys() == chinese.keys()
    for key, sentence in english.items():
        assert sentence.strip() and chinese[key].strip(), key
        assert names(sentence) == names(chinese[key]), key


@pytest.mark.parametrize("area", AREAS)
def test_no_key_is_given_twice(area: str) -> None:
    for language in texts.LANGUAGES:
        text = (FOLDER / language / f"{area}.json").read_text(encoding="utf-8")
        pairs = json.loads(text, object_pairs_hook=lambda pairs: pairs)
        assert len(pairs) == len(dict(pairs)), (language, area)


def test_both_languages_have_the_same_files() -> None:
    assert sorted(file.stem for file in (FOLDER / "zh-CN").glob("*.json")) == AREAS


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_of_an_end_has_its_sentence(cause: Cause) -> None:
    for language in texts.LANGUAGES:
        assert texts.text(f"engine.cause_{cause}", language, detail="...")


def test_every_error_that_is_raised_has_its_sentence() -> None:
    kinds = {"StudioError", "BadInput", "NotFound", "Conflict"}
    missing = []
    for room in ("app", "studio_core", "jobs"):
        for file in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if (
                    not isinstance(node, ast.Call)
                    or getattr(node.func, "id", "") not in kinds
                    or not node.args
                ):
                    continue
                key = getattr(node.args[0], "value", None)
                if isinstance(key, str) and (key if "." in key else f"errors.{key}") not in texts.catalogue(
                    "en"
                ):
                    missing.append(f"{file.relative_to(ROOT)}:{node.lineno} {key}")
    assert not missing


def test_a_text_that_a_language_lacks_is_english(monkeypatch: pytest.MonkeyPatch) -> None:
    chinese = {key: value for key, value in texts.catalogue("zh-CN").items() if key != "errors.job_not_found"}
    english = texts.catalogue("en")
    monkeypatch.setattr(texts, "catalogue", lambda language: chinese if language == "zh-CN" else english)
    assert texts.text("errors.job_not_found", "zh-CN", job=3).startswith("There is no job 3")


def test_the_language_of_a_header() -> None:
    assert texts.matching_language("zh-TW,zh;q=0.9,en;q=0.8") == "zh-CN"
    assert texts.matching_language("fr;q=0.9, en-GB") == "en"
    assert texts.matching_language("zh-CN") == "zh-CN"
    assert (
        texts.matching_language(None) == texts.matching_language("") == texts.matching_language("de") == "en"
    )


def test_chinese_texts_are_chinese() -> None:
    without = [
        key
        for key, sentence in texts.catalogue("zh-CN").items()
        if not re.search(r"[一-鿿　-〿＀-￯]", sentence) and texts.catalogue("en").get(key) != sentence
    ]
    assert not without
