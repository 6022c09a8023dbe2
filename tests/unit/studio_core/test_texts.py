from __future__ import annotations

import ast
import json
import re
import string
from pathlib import Path

import pytest

from studio_core import texts
from studio_core.base.settings import Settings
from studio_core.base.states import Cause

FOLDER = Path(texts.__file__).parent
AREAS = sorted(file.stem for file in (FOLDER / "en").glob("*.json"))
ROOT = FOLDER.parents[1]


def entries(language: str, area: str) -> dict[str, str]:
    return json.loads((FOLDER / language / f"{area}.json").read_text(encoding="utf-8"))


def names(sentence: str) -> set[str]:
    """The values that a sentence quotes."""
    parsed = [*string.Formatter().parse(sentence)]
    within = set().union(*(names(spec) for _, _, spec, _ in parsed if spec))
    return within | {field for _, field, _, _ in parsed if field is not None}


@pytest.mark.parametrize(
    ("n", "sentence"),
    [(0, "0 records"), (1, "1 record"), ("1", "1 record"), (2, "2 records"), ("1,000", "1,000 records")],
)
def test_a_noun_fits_its_number(n: int | str, sentence: str) -> None:
    assert texts.text("browse.rows_n", n=n) == sentence


def test_words_for_one_and_many_hold_further_values() -> None:
    said = [texts.text("reports.all_good", rows=rows) for rows in (1, 5)]
    assert [sentence.split(":")[0] for sentence in said] == [
        "The only record is good",
        "All 5 records are good",
    ]


def test_what_scripts_fill_in_has_no_words_for_one_and_many() -> None:
    """They know names in braces only."""
    scripted = {"adding": "upload_", "labeling": ("screen_", "case_")}
    for area, begin in scripted.items():
        assert not [key for key, text in entries("en", area).items() if key.startswith(begin) and "|" in text]


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


COMMAND = r"python -m app|`\w|(?<![\w-])--[a-z{]"
WITH_COMMANDS = {
    # Only the command line, or the start of the page, says these.
    "accounts.password_from_terminal", "accounts.two_ways", "accounts.doctor_open", "accounts.doctor_key",
    "backup.not_writable", "backup.failed", "errors.home_not_writable", "generation.no_key_variable",
    "labeling.making_one_origin", "labeling.making_queued", "labeling.round_started", "models.code_whose",
    "shell.host_needs_accounts", "shell.port_taken", "train.field_missing",
    # Lines of a README that lies beside a script.
    "handover.back.where", "handover.compare.how", "handover.llama_factory.notes", "handover.ms_swift.notes",
    "handover.openrlhf.notes", "handover.start.rewards", "handover.nemo_rl.notes", "handover.verl.notes",
    # What they advise, no page can do.
    "adding.hub_unknown", "adding.hub_gated", "engine.folder_taken", "errors.database_error", "exports.hub_no_token",
    "exports.hub_token_refused", "methods.no_gpu", "models.hub_closed", "models.hub_unknown",
    "shell.settings_how", "shell.settings_of_model_roots",
}  # fmt: skip


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_a_page_names_pages_and_the_command_line_commands(language: str) -> None:
    catalogue = texts.catalogue(language)
    named = {key for key, text in catalogue.items() if re.search(COMMAND, text)}
    assert {key for key in named if not key.startswith("cli.")} == WITH_COMMANDS
    # A sentence that takes the place of another on the command line, with the same values.
    for key in catalogue:
        other = key.removeprefix("cli.")
        if key.startswith("cli.") and "." in other:
            assert other in catalogue and key in named, key
            # A command wants the name of what a page calls by its title.
            of_page = names(catalogue[other]) | {
                name.removesuffix("_title") for name in names(catalogue[other])
            }
            assert names(catalogue[key]) <= of_page, key


def test_every_setting_is_told_on_the_settings_page() -> None:
    assert {
        key.removeprefix("shell.settings_of_")
        for key in texts.catalogue("en")
        if key.startswith("shell.settings_of_")
    } == set(Settings.model_fields)


def test_chinese_texts_are_chinese() -> None:
    without = [
        key
        for key, sentence in texts.catalogue("zh-CN").items()
        if not re.search(r"[一-鿿　-〿＀-￯]", sentence) and texts.catalogue("en").get(key) != sentence
    ]
    assert not without


#: Areas whose wording has been gone through with a reader of the field; a new area belongs here.
SPOKEN = [
    "accounts",
    "backup",
    "browse",
    "chat",
    "dataset",
    "devices",
    "errors",
    "evaluation",
    "generation",
    "labeling",
    "rewards",
    "shell",
]
#: Words that another word of the house stands for, or that only a translation would say.
OLD_WORDS = {
    "en": r"\b(the studio|rounds of training|going on|so many|all stand|made up|put away|take[ns]? back|"
    r"whoever|somebody|everybody|longest (answer|record|reply)|what came of|judged already)\b",
    "zh-CN": r"您|工作室|基础模型|评审|损失|记录|形状|采纳|次选|系统提示(?!词)|(?<!系统)提示(?!词)|运行(?= \{)",
}


def spoken(language: str) -> dict[str, str]:
    return {f"{area}.{key}": text for area in SPOKEN for key, text in entries(language, area).items()}


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_no_text_uses_a_word_that_was_given_up(language: str) -> None:
    assert not {
        key: sentence
        for key, sentence in spoken(language).items()
        if re.search(OLD_WORDS[language], sentence, re.IGNORECASE)
    }


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_spaces_and_percent_signs_stand_where_the_house_has_them(language: str) -> None:
    wrong = r"[^\n ] {2}|[}\d] %|[０-９Ａ-Ｚａ-ｚ]|[一-鿿][A-Za-z0-9]|[A-Za-z0-9%][一-鿿]|[一-鿿][,;:?!(]"
    assert not {key: text for key, text in spoken(language).items() if re.search(wrong, text)}


def test_a_sentence_ends_as_one_in_both_languages() -> None:
    english, chinese = spoken("en"), spoken("zh-CN")
    for mark, other in ((".", "。"), (":", "：")):
        unlike = [key for key in english if english[key].endswith(mark) != chinese[key].endswith(other)]
        assert not unlike
