"""Labelling by commands: a whole project without a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.cli import label_create, label_rounds, run
from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio, open_studio
from studio_core.labeling import changing, exports, items, making, projects, undoing
from studio_core.labeling.statistics import of_project
from studio_core.models import registry
from tests.unit.studio_core.labeling.comparing import compared, judged_at_once, pair, trained


@pytest.fixture
def home(tmp_path: Path) -> Path:
    open_studio(home=tmp_path / "home").close()
    return tmp_path / "home"


@pytest.fixture
def ask(home: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def asked(*words: str, code: int = 0, as_json: bool = True) -> Any:
        arguments = ["label", *words, *(["--json"] if as_json else []), "--home", str(home)]
        assert run(arguments) == code, capsys.readouterr().err
        said = capsys.readouterr()
        return json.loads(said.out) if as_json and not code else said.out + said.err

    return asked


def pairs(path: Path, count: int = 12) -> str:
    rows = [{"prompt": f"q {n}", "chosen": f"good {n}", "rejected": f"bad {n}"} for n in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_a_whole_project_by_commands(ask: Any, home: Path, tmp_path: Path) -> None:
    brought = ask("import", pairs(tmp_path / "pairs.jsonl"), "--project", "p", "--votes", "2")
    assert brought["added"] == 12 and ask("list")[0]["items"] == 12
    given = ("--project", "p", "--annotator")
    shown = ask("next", *given, "anna")
    assert ask("next", *given, "anna")["pair"] == shown["pair"] and {"left", "right"} <= shown.keys()
    better = ("--reason", "factual", "--comment", "c", "--edit-left", "better still")
    ask("vote", *given, "anna", "--pair", str(shown["pair"]), "--verdict", "left", *better)
    assert ask("undo", *given, "anna")["draft"]["edits"] == {"0": "better still"}
    ask("vote", *given, "anna", "--pair", str(shown["pair"]), "--verdict", "left", *better)
    studio = open_studio(home=home)
    undoing.withdraw(studio, "p", "anna", shown["pair"])
    studio.close()
    assert ask("stats", "--project", "p")["everybody"]["votes"] == 0
    back = ask("undo", *given, "anna")
    assert back["pair"] == shown["pair"] and back["draft"]["comment"] == "c"
    assert ask("stats", "--project", "p")["everybody"]["votes"] == 1
    ask("undo", *given, "anna")
    for annotator in ("anna", "ben"):
        while (shown := ask("next", *given, annotator))["pair"]:
            verdict = "left" if shown["left"].startswith("good") else "right"
            ask("vote", *given, annotator, "--pair", str(shown["pair"]), "--verdict", verdict)
    stats = ask("stats", "--project", "p")
    assert (stats["items"], stats["done"], stats["conflicts"]) == (12, 12, 0)
    assert stats["everybody"]["left_wins"]["of"] == 24 and stats["agreement"]["raw"] is None
    out = tmp_path / "out.jsonl"
    assert ask("export", "--project", "p", "--out", str(out))["rows"] == 12
    assert all(
        "good" in line.split('"chosen"')[1].split('"rejected"')[0] for line in out.read_text().splitlines()
    )
    assert ask("export", "--project", "p", "--out", str(out), "--shape", "audit")["rows"] >= 24
    made = ask("dataset", "--project", "p")
    assert sum(one["rows"] for one in made) == 12
    assert "Nothing left to label." in ask("next", *given, "anna", as_json=False)


def test_what_cannot_be_done_is_said(ask: Any, tmp_path: Path) -> None:
    refused = ask("stats", "--project", "nothing", code=2)
    assert (
        "no labelling project 'nothing'. `python -m app label list` lists" in refused
    )  # A page names the page.
    assert "x.jsonl" in ask("import", str(tmp_path / "x.jsonl"), "--project", "p", code=2)
    texts = tmp_path / "texts.jsonl"
    texts.write_text('{"text": "a"}\n')
    assert "not preference pairs" in ask("import", str(texts), "--project", "p", code=2)
    ask("import", pairs(tmp_path / "pairs.jsonl"), "--project", "q")
    refused = ask("vote", "--project", "q", "--annotator", "a", "--pair", "1", "--verdict", "left", code=2)
    assert "is not assigned to a" in refused
    assert "each of the" in ask(
        "vote",
        "--project",
        "q",
        "--annotator",
        "a",
        "--pair",
        "1",
        "--verdict",
        "x",
        "--ranking",
        "1,b",
        code=2,
    )


def test_settings_and_guidelines_have_versions(studio: Studio) -> None:
    one = projects.create(studio, "p", guidelines="first")
    assert projects.write_guidelines(studio, one.id, "first").version == 1
    assert projects.write_guidelines(studio, one.id, "second").version == 2
    found = projects.guidelines(studio, one.id)
    assert found is not None and found.text == "second"
    assert projects.settings_of(changing.change(studio, "p", {"votes": 3})).votes == 3
    for settings, sentence in (({"votes": 0}, "votes"), ({"sorcery": 1}, "sorcery")):
        with pytest.raises(BadInput, match=sentence):
            changing.change(studio, "p", settings)
    with pytest.raises(BadInput, match="no labelling mode"):
        projects.create(studio, "q", mode="sorcery")
    with pytest.raises(BadInput, match="100001 characters"):
        projects.write_guidelines(studio, "p", "x" * 100_001)
    assert of_project(studio, "p").items == 0


def test_rounds_by_commands(ask: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_rounds, "ensure_engine", lambda _: None)
    studio = open_studio(home=home)
    registry.ensure_demo_models(studio)
    base = registry.get(studio, "tiny-chat")
    prompts = [f"q{n}" for n in range(40)]
    root = compared(studio, "p", [pair(prompt, base, base) for prompt in prompts], held_out=0.5)
    judged_at_once(studio, root, lambda item: "a")
    dataset, *_ = exports.make_dataset(studio, root.id)
    run, after = trained(studio, "tuned", base, dataset)
    started = ask("compare", "--project", "p", "--run", str(run.id), "--limit", "8")
    assert (started["project"], started["before"], started["after"]) == ("p-round-1", "tiny-chat", "tuned")
    assert started["state"] == "queued" and started["outcome"] == "open" and started["judged"] == 0
    again = ask("compare", "--project", "p", "--run", str(run.id), "--against", "base")
    assert (again["id"], again["job"]) == (started["id"], started["job"])
    given = [
        prompt.messages[0]["content"]
        for prompt in making.prompts_of(studio, projects.get(studio, "p-round-1"))
    ]
    items.add(studio, "p-round-1", [pair(prompt, base, after) for prompt in given])
    judged_at_once(studio, projects.get(studio, "p-round-1"), lambda item: "b")
    studio.close()
    [found] = ask("rounds", "--project", "p")
    assert (found["wins"], found["judged"], found["outcome"], found["run"]) == (8, 8, "better", run.id)
    assert found["words"] == "tuned wins 8 of 8: 100% (68 to 100): better"
    assert found["words"] in ask("rounds", "--project", "p-round-1", as_json=False)
    assert "Choose one of" in ask("compare", "--project", "p", "--run", "999", code=2)
    assert "previous, base" in ask(
        "compare", "--project", "p", "--run", str(run.id), "--against", "x", code=2
    )


def test_projects_made_by_commands(
    ask: Any, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_create, "ensure_engine", lambda _: None)
    file = tmp_path / "prompts.txt"
    file.write_text("Who are you?\nWhat is 2 plus 3?\nWho are you? \n")
    sources = (
        "--source",
        "tiny-chat:0.2",
        "--source",
        "tiny-chat:1.1",
        "--system",
        "Be brief.",
        "--held-out",
        "0",
    )
    made = ask("create", "--project", "p", "--prompts-file", str(file), *sources, "--votes", "3")
    studio = open_studio(home=home)
    one = projects.get(studio, "p")
    assert (made["id"], made["job"], made["state"]) == (one.id, one.job_id, "queued")
    assert one.settings["votes"] == 3 and len(list(making.prompts_of(studio, one))) == 2
    assert [(source["temperature"], source["system"]) for source in one.sources] == [
        (0.2, "Be brief."),
        (1.1, ""),
    ]
    given = ("--project", "best", "--prompts", "sums-prompts", "--limit", "20", "--source", "tiny-chat")
    best = ask(
        "create", *given, "--best-of", "4", "--reward", "shorter=40", "--held-out", "0.2", "--max-tokens", "9"
    )
    [source] = projects.get(studio, "best").sources
    assert (source["best_of"], source["reward"], source["reward_options"], source["max_tokens"]) == (
        4,
        "shorter",
        {"characters": "40"},
        9,
    )
    assert best["counts"]["held_out"] > 0
    studio.close()
    ask(
        "create",
        "--project",
        "x",
        "--source",
        "tiny-chat",
        "--from-chats",
        "--prompts",
        "sums-prompts",
        code=2,
    )
    ask("create", "--project", "x", "--source", "tiny-chat", "--prompts-file", str(tmp_path / "no"), code=2)
    ask(
        "create",
        "--project",
        "x",
        *sources[:2],
        *sources[4:6],
        *sources[4:6],
        "--prompts",
        "sums-prompts",
        code=2,
    )
    ask("more", "--project", "p", "--prompts", "sums-prompts", code=2)  # The first job is still there.
    ask("judge", "--project", "p", "--model", "tiny-chat", code=2)  # There is nothing to judge.
    assert ask("judges", "--project", "p") == []
