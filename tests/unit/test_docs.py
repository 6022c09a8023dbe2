"""The docs name everything that exists, and nothing that does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from studio_core.base.settings import PREFIX, Settings
from studio_core.data.exports import LAYOUTS
from studio_core.data.shapes import Shape
from tests.reference import FILE, commands, markdown

ROOT = Path(__file__).parent.parent.parent
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_reference_is_what_the_code_says() -> None:
    assert FILE.read_text(encoding="utf-8") == markdown(), "out of date: run `make docs`"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_described(name: str) -> None:
    assert Settings.model_fields[name].description


def test_every_command_and_option_has_its_help() -> None:
    for name, command in commands():
        assert command.help, name
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{name}: {parameter.name}"


@pytest.mark.parametrize("file", DOCS, ids=lambda file: file.name)
def test_docs_name_only_what_exists(file: Path) -> None:
    prose = file.read_text(encoding="utf-8")
    for variable in re.findall(PREFIX + r"([A-Z_]+)", prose):
        assert variable.lower() in Settings.model_fields, f"setting {PREFIX}{variable}"
    known = {name for name, _ in commands()}
    for call in re.findall(r"`python -m app((?: [a-z][a-z-]*)+)", prose):
        words = call.split()
        assert any(" ".join(words[:length]) in known for length in (1, 2)), f"command {call}"
    for path in re.findall(r"`((?:app|studio_core|jobs|static|tests|docs)/[\w/.-]+)`", prose):
        assert (ROOT / path.rstrip("/")).exists(), f"path {path}"
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    for target in re.findall(r"`make ([a-z-]+)", prose):
        assert target in targets, f"make {target}"
    for link in re.findall(r"\]\((?!http|#)([^)#]+)", prose):
        assert (file.parent / link).exists(), f"link {link}"


def test_options_are_named_as_they_are_spelled() -> None:
    spelled = {
        opt
        for _, command in commands()
        for p in command.params
        if p.param_type_name == "option"
        for opt in p.opts
    }
    named = set(
        re.findall(r"python -m app [a-z ]*(--[a-z-]+)", "\n".join(f.read_text("utf-8") for f in DOCS))
    )
    assert named <= spelled | {"--help"}, named - spelled


def test_the_page_about_data_lists_every_layout_and_shape() -> None:
    prose = (ROOT / "docs" / "DATA.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)` \|.*\| (.*) \| (.*) \|$", prose, flags=re.MULTILINE)
    listed = {name: tuple(set(re.findall(r"`([\w-]+)`", cell)) for cell in cells) for name, *cells in rows}
    assert listed == {
        name: ({shape.value for shape in layout.forms}, set(layout.formats))
        for name, layout in LAYOUTS.items()
    }
    taken_for = set(re.findall(r"\| `([\w-]+)` \|$", prose, flags=re.MULTILINE))
    assert {shape.value for shape in Shape} <= taken_for
