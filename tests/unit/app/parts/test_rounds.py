"""The section of rounds, the button of a run's page, and the arena's page, as the endpoints that they are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from app.pages import arena as arena_page
from app.pages.arena import ArenaPage
from app.parts import arena_view, run_watch
from app.parts.labeling import making_progress, rounds_view
from app.parts.labeling import rounds as section_of
from app.parts.labeling.rounds import Rounds
from app.parts.run_watch import Cursor, RunWatch
from studio_core import texts
from studio_core.base.errors import BadInput, NotFound
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job, LabelProject, Model
from studio_core.data import versions
from studio_core.labeling import arena, exports, items, making, outcomes, projects, rounds
from studio_core.models import registry
from tests.unit.app.parts.by_name import ByName
from tests.unit.studio_core.labeling.comparing import compared, judged_at_once, pair, trained

EVIL = "<img src=x onerror=alert(1)>"


def request(language: str = "en", **query: str) -> Any:
    return SimpleNamespace(cookies={}, headers={"accept-language": language}, query_params=query)


def event(**data: Any) -> Any:
    return SimpleNamespace(_data=data)


@pytest.fixture
def base(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Model:
    for module in (arena_page, run_watch, section_of):
        monkeypatch.setattr(module, "ensure_engine", lambda _: None)
    registry.ensure_demo_models(studio)
    return registry.get(studio, "tiny-chat")


@pytest.fixture
def root(studio: Studio, base: Model) -> LabelProject:
    """Sixty pairs, judged."""
    one = compared(studio, "p", [pair(f"q{n}", base, base) for n in range(60)], held_out=0.5)
    judged_at_once(studio, one, lambda item: "a")
    return one


@pytest.fixture
def run(studio: Studio, root: LabelProject, base: Model) -> Job:
    dataset, *_ = exports.make_dataset(studio, root.id)
    return trained(studio, "tuned", base, dataset)[0]


def answered(studio: Studio, round_id: int) -> LabelProject:
    """A round whose answers are there."""
    one = projects.get(studio, round_id)
    before, after = (registry.get(studio, one.round[which]) for which in ("before", "after"))
    given = [prompt.messages[0]["content"] for prompt in making.prompts_of(studio, one)]
    items.add(studio, one.id, [pair(prompt, before, after) for prompt in given])
    return one


def number_in(address: str) -> int:
    assert address.startswith("/label?project=")
    return int(address.rpartition("=")[2])


def test_training_on_the_votes_opens_the_page_filled_in(studio: Studio, root: LabelProject) -> None:
    with studio.db.write() as session:
        session.get_one(LabelProject, root.id).sources = [{"model": "tiny-chat", "temperature": 0.5}]
    section = Rounds(studio, ByName())
    address = section.train(request(project="p"), "dpo")
    assert parse_qs(urlparse(address).query) == {
        "dataset": ["p@1"],
        "method": ["dpo"],
        "model": ["tiny-chat"],
    }
    address = section.train(request(project="p"), "kto")
    assert parse_qs(urlparse(address).query) == {
        "dataset": ["p@2"],
        "method": ["kto"],
        "model": ["tiny-chat"],
    }
    assert versions.get(studio, "p@2").shape == "unpaired-preference"
    address = section.train(request(project="p"), "reward")
    assert parse_qs(urlparse(address).query)["method"] == ["reward"]
    section.train(request(project="p"), "reward-ranking")
    assert versions.get(studio, "p@3").shape == "ranking"
    for shape in ("audit", "", None, {"a": 1}):
        with pytest.raises(BadInput):
            section.train(request(project="p"), shape)
    with pytest.raises(NotFound):
        section.train(request(project="nothing"), "dpo")


def test_a_round_from_the_page(studio: Studio, root: LabelProject, run: Job) -> None:
    section = Rounds(studio, ByName())
    updates = section.rounds(request(project="p"))
    assert "Run 1 (tuned) has finished" in updates["step"] and updates["results"] == ""
    runs = updates["run"]
    assert (updates["method"]["value"], runs.choices, runs.value) == (
        "dpo",
        [("run 1: tuned", run.id)],
        run.id,
    )
    one = answered(studio, number_in(section.compare(request(project="p"), run.id, "previous", 12)))
    updates = section.rounds(request("zh-CN", project="p"))
    step, results = updates["step"], updates["results"]
    assert f'href="/label?project={one.id}"' in step and "还没有投票" in results
    with studio.db.write() as session:
        job = session.get_one(Job, projects.get(studio, one.id).job_id)
        job.state, job.finished_at = "succeeded", job.submitted_at
    judged_at_once(studio, one, lambda item: "tie")
    updates = section.rounds(request(project="p"))
    step, results = updates["step"], updates["results"]
    assert "tuned wins 0 of 12, 12 ties: 50% (25 to 75)" in results and "inconclusive" in results
    assert f'data-round="{one.id}"' in results and "New votes are available" in step
    assert number_in(section.more(request(project="p"), event(round=one.id))) == one.id
    assert len(list(making.prompts_of(studio, projects.get(studio, one.id)))) > 12
    updates = section.rounds(request(project=one.name))
    belongs, results = updates["step"], updates["results"]
    assert not updates["forms"].visible
    assert f"/label?project={root.id}&amp;section=rounds" in belongs and "tuned wins" in results


@pytest.mark.parametrize(
    "bad", [(None, "previous", 5), ("x", "previous", 5), (1, "best", 5), (1, "previous", 0), (99, "base", 5)]
)
def test_what_comes_from_outside_is_checked(studio: Studio, run: Job, bad: tuple[Any, ...]) -> None:
    with pytest.raises(BadInput):
        Rounds(studio, ByName()).compare(request(project="p"), *bad)
    with pytest.raises(BadInput):
        Rounds(studio, ByName()).more(request(project="p"), event(round="1; DROP"))


def test_comparing_from_the_page_of_a_run(studio: Studio, root: LabelProject, run: Job, base: Model) -> None:
    assert 'id="run-compare-blind"' in rounds_view.of_run(studio, run, "en")
    address = RunWatch(studio, {}).compared(request(), str(Cursor(run=run.id)))
    one = answered(studio, number_in(address))
    judged_at_once(studio, one, lambda item: "b")
    said = rounds_view.of_run(studio, run, "en")
    assert "data-compare" not in said and "100%" in said and ": better" in said
    other, _ = trained(studio, "other", base, _imported(studio))
    assert rounds_view.of_run(studio, other, "en") == ""


@pytest.mark.parametrize("language", list(texts.LANGUAGES))
def test_before_a_comparison_it_is_said_of_how_much_it_is_made(
    studio: Studio, root: LabelProject, run: Job, language: str
) -> None:
    section = Rounds(studio, ByName())
    left = rounds.prompts_left(studio, rounds.comparison(studio, root.id, run))
    for limit, pairs in ((5, 5), (500, left), (None, min(left, rounds.LIMIT)), (-3, 0)):
        said = section.outlook(request(language, project="p"), run.id, "previous", limit)
        assert texts.text("labeling.round_outlook", language, prompts=left, pairs=pairs) in said
    assert section.rounds(request(language, project="p"))["outlook"] == rounds_view.outlook(
        studio, rounds.comparison(studio, root.id, run), rounds.LIMIT, language
    )
    assert str(left) in rounds_view.of_run(studio, run, language)
    assert section.outlook(request(language, project="p"), None, "previous", 5) == ""
    assert "ts-muted" in section.outlook(request(language, project="p"), run.id, EVIL, 5)
    assert EVIL not in section.outlook(request(language, project="p"), run.id, EVIL, 5)


def test_two_models_that_answer_alike_lead_on(studio: Studio, root: LabelProject, run: Job) -> None:
    one, job = rounds.compare(studio, root.id, run, limit=10)
    assert job is not None
    with studio.db.write() as session:
        session.get_one(LabelProject, one.id).counts = {"identical": 10}
        row = session.get_one(Job, job.id)
        row.state, row.finished_at = "succeeded", row.submitted_at
    one = projects.get(studio, one.id)
    section = Rounds(studio, ByName())
    updates = section.rounds(request(project="p"))
    step, results = updates["step"], updates["results"]
    above = making_progress.view(studio, one, making.job_of(studio, one), "en", staff=True)
    for shown in (step, results, above):
        assert "10 of 10 answers were identical" in shown
        assert f'href="/train?longer={run.id}"' in shown and f'data-round="{one.id}"' in shown
    assert 'data-items="0"' in above
    assert "identical" not in making_progress.view(studio, one, making.job_of(studio, one), "en", staff=False)
    assert "10 of 10 answers were identical" in rounds_view.of_run(studio, run, "en")
    rounds.more(studio, one.id, 1000)  # All that are left.
    way = f'href="/label?project={root.id}&amp;section=prompts"'
    assert way not in rounds_view.alike(
        studio, one, "zh-CN"
    )  # Its answers were brought, and no model writes more.
    with studio.db.write() as session:
        session.get_one(LabelProject, root.id).job_id = job.id
    assert way in rounds_view.alike(studio, one, "zh-CN")


def _imported(studio: Studio) -> Dataset:
    with studio.db.write() as session:
        dataset = Dataset(
            name="x", version=1, shape="chat", rows=1, rejected=[], sha256="0", file="0.parquet", bytes=1,
            source="", mapping={},
        )  # fmt: skip
        session.add(dataset)
        return dataset


@pytest.mark.parametrize("language", list(texts.LANGUAGES))
def test_the_chart_says_what_it_shows_and_escapes_names(
    studio: Studio, root: LabelProject, run: Job, language: str
) -> None:
    with studio.db.write() as session:
        session.query(Model).filter_by(name="tuned").one().name = EVIL
    one, _ = rounds.compare(studio, root.id, run, limit=10)
    judged_at_once(studio, answered(studio, one.id), lambda item: "b")
    drawn = rounds_view.results(studio, outcomes.results(studio, root), language)
    assert EVIL not in drawn and "&lt;img" in drawn
    assert (
        drawn.count('class="ts-lines-dot') == 2
    )  # Of the first round: against the one before, and the base.
    assert 'aria-label="' in drawn and "bottom:100.00%" in drawn
    assert rounds_view.chart([], language) == ""


def test_the_arena_page(studio: Studio, base: Model) -> None:
    page = ArenaPage(studio, ByName())
    names = ["tiny-base", "tiny-chat", EVIL]
    trained(studio, "third", base, _imported(studio))
    with studio.db.write() as session:
        session.query(Model).filter_by(name="third").one().name = EVIL
    assert "These models have not been compared" in page.open(request())["table"]
    models = [registry.get(studio, name) for name in names]
    votes = [
        pair(f"q{n}", *two) for n in range(8) for two in ((models[0], models[1]), (models[1], models[2]))
    ]
    judged_at_once(studio, compared(studio, "p", votes), lambda item: "b")
    shown = page.open(request(models="tiny-base,tiny-chat,nobody"))["table"]
    assert "at least 3 models; 2" in shown
    for said in (
        page.open(request("zh-CN"))["table"],
        page.rated(request(), names),
        page.rated(request(), "x"),
    ):
        assert EVIL not in said and "&lt;img" in said and said.count("ts-interval") == 3
    assert arena_view.shown(arena.arena(studio, names), "en").count("<tr>") == 3 + 2 + 2
    for chosen in ([], names[:2], None):
        with pytest.raises(BadInput):
            page.started(request(), chosen, "sums-prompts", 10, 1)
    with pytest.raises(BadInput):
        page.started(request(), names, None, 10, 1)
    page.open(request())
    known = versions.get(studio, "sums-prompts")
    address = page.started(
        request(), ["tiny-base", "tiny-chat", "tiny-chat", models[2].id], f"{known.name}@1", 6, 2
    )
    made = projects.get(studio, number_in(address))
    assert projects.settings_of(made).votes == 2 and len(made.sources) == 3
    assert len(list(making.prompts_of(studio, made))) == 6
