"""Prompts and sources of projects whose answers models write, and what is stored of what their jobs tell."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from studio_core.base import clock
from studio_core.base.errors import BadInput, Conflict, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Job
from studio_core.chat import chat_answers, chat_labels, chats
from studio_core.data import store
from studio_core.generation.answer_jobs import AnswerSource
from studio_core.generation.judging import choice
from studio_core.labeling import items, making, projects, records
from studio_core.labeling.making import NewPrompt, prompts_of_text
from studio_core.models import registry
from studio_core.runs import metrics

BOTH = [AnswerSource(model="tiny-chat", temperature=t) for t in (0.2, 1.1)]


@pytest.fixture
def demo(studio: Studio) -> Studio:
    registry.ensure_demo_models(studio)
    return studio


def prompts(count: int) -> list[NewPrompt]:
    return [NewPrompt([{"role": "user", "content": f"say {n}"}]) for n in range(count)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\ntwo\n", ["one", "two"]),
        ("one\nmore of it\n\n\ntwo\r\n  indented", ["one\nmore of it", "two\n  indented"]),
        ("  \n\n", []),
        ("你好", ["你好"]),
    ],
)
def test_pasted_prompts(text: str, expected: list[str]) -> None:
    assert [prompt.messages[0]["content"] for prompt in prompts_of_text(text)] == expected


def test_a_dataset_asks_each_question_once_up_to_its_last_one(studio: Studio, tmp_path: Path) -> None:
    file = tmp_path / "chats.jsonl"
    rows = [["hello", "hi"], ["Hello ", "hi there"], ["one", "1", "two", "2"], ["only asked"]]
    documents = [
        {"messages": [{"role": ("user", "assistant")[n % 2], "content": said} for n, said in enumerate(row)]}
        for row in rows
    ]
    file.write_text("".join(json.dumps(one) + "\n" for one in documents))
    dataset = store.import_file(studio, file).dataset
    found = list(making.prompts_of_dataset(studio, dataset))
    assert [[one["content"] for one in prompt.messages] for prompt in found][:2] == [
        ["hello"],
        ["one", "1", "two"],
    ]
    assert len(list(making.prompts_of_dataset(studio, dataset, limit=1))) == 1
    sides = [
        list(making.prompts_of_dataset(studio, dataset, held_out=side, share=0.5)) for side in (True, False)
    ]
    assert len(sides[0]) + len(sides[1]) == len(found)


def test_the_chats_ask_with_what_was_said_before(demo: Studio) -> None:
    chat = chats.start(demo, ["tiny-chat", "tiny-base"], chats.checked_settings(system="Be brief."))
    for prompt in ("first", "second"):
        row = chats.add_round(demo, chat, prompt, chats.checked_settings(system="Be brief."))
        answer: chat_answers.Answer = {**row.answers[0], "answer": f"answer to {prompt}", "state": "stop"}
        chats.save_answers(demo, row.id, [answer, answer])
    found = [[one["content"] for one in prompt.messages] for prompt in chat_labels.prompts_of_chats(demo)]
    assert found == [["Be brief.", "first"], ["Be brief.", "first", "answer to first", "second"]]


def test_sources_as_they_are_typed(demo: Studio) -> None:
    source = making.source_of("tiny-chat:0.25", system="Be brief.")
    assert (source.model, source.temperature, source.system) == ("tiny-chat", 0.25, "Be brief.")
    assert making.source_of("org/model:latest").model == "org/model:latest"
    assert making.source_of("far:1", services_known=["far"]).service == "far"
    with pytest.raises(BadInput, match="temperature"):
        making.source_of("tiny-chat:3")


def test_sources_of_one_model_are_told_apart(demo: Studio) -> None:
    def names(*sources: AnswerSource) -> list[str]:
        return [one.name for one in making.checked_sources(demo, sources, "pairs")]

    assert names(*BOTH) == ["tiny-chat at 0.2", "tiny-chat at 1.1"]
    assert names(BOTH[0], AnswerSource(model="tiny-base")) == ["tiny-chat", "tiny-base"]
    system = AnswerSource(model="tiny-chat", temperature=0.2, system="Answer like a pirate, in rhymes.")
    assert names(BOTH[0], system) == ["tiny-chat –", "tiny-chat “Answer like a pirate, in…”"]
    assert names(BOTH[0], BOTH[0], AnswerSource(name="mine", model="tiny-chat")) == [
        "tiny-chat",
        "tiny-chat (2)",
        "mine",
    ]


BEST = AnswerSource(model="tiny-chat", best_of=4, reward="shorter", setting="10")


@pytest.mark.parametrize(
    ("sources", "mode"),
    [
        ([BOTH[0]], "pairs"),
        ([], "rate"),
        ([BOTH[0]] * 9, "pairs"),
        (BOTH, "rank"),
        ([BEST, BOTH[0]], "pairs"),
        ([BEST], "rate"),
        ([BEST.model_copy(update={"reward": "nonsense"})], "pairs"),
        ([BEST.model_copy(update={"setting": "many"})], "pairs"),
        ([AnswerSource(), BOTH[0]], "pairs"),
        ([AnswerSource(model="tiny-chat", service="far"), BOTH[0]], "pairs"),
        ([AnswerSource(service="nowhere"), BOTH[0]], "pairs"),
        ([AnswerSource(model="nobody"), BOTH[0]], "pairs"),
        (BOTH, "dance"),
    ],
)
def test_what_cannot_answer_is_said_before_anything_is_made(
    demo: Studio, sources: list[AnswerSource], mode: str
) -> None:
    with pytest.raises(StudioError):
        making.create(demo, "never", prompts(3), sources, mode=mode)
    assert not projects.all_projects(demo)
    folder = demo.settings.labelling
    assert not folder.exists() or not list(folder.iterdir())


def test_held_out_prompts_are_kept_and_never_answered(demo: Studio) -> None:
    project, job = making.create(demo, "kept", prompts(60), BOTH, settings={"held_out": 0.3})
    sides = [
        {one.messages[0]["content"] for one in making.prompts_of(demo, project, side)}
        for side in (True, False)
    ]
    assert not sides[0] & sides[1] and len(sides[0] | sides[1]) == 60 and len(sides[0]) > 5
    assert project.counts == {"held_out": len(sides[0])} and project.job_id == job.id
    asked = Path(job.spec["options"]["prompts"]).read_text().splitlines()
    assert {json.loads(line)["prompt"][0]["content"] for line in asked} == sides[1]
    round_, _ = making.create(demo, "round", prompts(60), BOTH, round={"project": project.id, "number": 1})
    assert projects.settings_of(round_).held_out == 0 and not round_.counts.get("held_out")


def test_nothing_is_left_of_a_project_that_could_not_be_made(demo: Studio) -> None:
    stale = demo.settings.labelling / "1"  # As after the database was put back to an older copy.
    stale.mkdir(parents=True)
    (stale / "prompts-1.jsonl").write_text("of another project")
    taken, _ = making.create(demo, "taken", prompts(2), BOTH, settings={"held_out": 0.0})
    assert len(list(making.prompts_of(demo, taken))) == 2
    with pytest.raises(Conflict):
        making.create(demo, "taken", prompts(2), BOTH)
    with pytest.raises(BadInput, match="No new prompts"):
        making.create(demo, "empty", [], BOTH)
    with pytest.raises(BadInput):
        making.create(demo, "no", prompts(1), BOTH, settings={"held_out": 2})
    kept, aside = sorted(demo.settings.labelling.iterdir(), key=lambda path: path.name, reverse=True)
    assert kept.name == "1" and (aside / "prompts-1.jsonl").read_text() == "of another project"
    with pytest.raises(BadInput, match="were imported"):
        making.more(demo, projects.create(demo, "by-hand").id, prompts(2))


def lines(*events: dict[str, Any]) -> list[tuple[int, bytes]]:
    made, offset = [], 0
    for seq, event in enumerate(events, start=1):
        line = json.dumps({"seq": seq, "at": clock.iso(clock.now()), **event}).encode()
        offset += len(line) + 1
        made.append((offset, line))
    return made


def test_what_a_worker_tells_is_checked_counted_and_stored_once(demo: Studio) -> None:
    project, job = making.create(demo, "told", prompts(9), BOTH, settings={"held_out": 0.0})
    prompt = [{"role": "user", "content": "hello"}]

    def item(*texts: str, **more: Any) -> dict[str, Any]:
        answers = [{"text": text, "source": f"s{n}", "model": 1} for n, text in enumerate(texts)]
        return {"type": "item", "prompt": prompt, "answers": answers, **more}

    told = lines(
        item("a", "b", row=1),
        item("b", "a", row=2),
        item("same", "same "),
        item("", "b"),
        item("only one"),
        item("a", "c", prompt=[{"role": "assistant", "content": "nobody asked"}]),
        item("a", "d", prompt="no messages"),
        {"type": "item", "dropped": "failed"},
        {"type": "item", "dropped": "identical"},
        {"type": "item", "dropped": "<script>"},
        {"type": "verdict", "item": 1, "verdict": "a"},
    )
    metrics.store(demo, job.id, told)
    metrics.store(demo, job.id, told)
    counts = projects.get(demo, project.id).counts
    assert counts == {"added": 1, "known": 1, "identical": 2, "empty": 1, "failed": 5}
    [stored] = items.page(demo, project.id)
    assert [answer["model"] for answer in stored.answers] == [1, 1]


def test_items_of_a_job_that_makes_none_go_nowhere(demo: Studio) -> None:
    with demo.db.write() as session:
        job = Job(kind="train", name="x", method="sft", state="queued", spec={}, position=1)
        session.add(job)
    metrics.store(demo, job.id, lines({"type": "item", "prompt": [], "answers": []}))
    assert not projects.all_projects(demo)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("A", "first"),
        ("b.", "second"),
        ("**Tie**", "tie"),
        ("[[A]]", "first"),
        ("The better answer is: B", "second"),
        ("Answer A is better.", "first"),
        ("<think>A? no, B</think>\nB", "second"),
        ("Both bad.", "both_bad"),
        ("**both_bad**", "both_bad"),
        ("Verdict: both are bad", "both_bad"),
        ("both", None),
        ("Both bad, but A is shorter", None),
        ("A or B", None),
        ("I would say A because it is short, but B", None),
        ("", None),
    ],
)
def test_a_judges_reply_is_read_strictly(reply: str, said: str | None) -> None:
    assert choice(reply) == said


def test_the_shape_in_which_votes_say_most(studio: Studio) -> None:
    names = map("p{}".format, count())

    def shape(mode: str, **settings: Any) -> str:
        return records.usual_shape(projects.create(studio, next(names), mode=mode, settings=settings))

    assert shape("pairs") == shape("rank") == "preference"
    assert shape("rate") == "score" and shape("rate", scale=2) == "unpaired"
    assert shape("rate", correct=True, scale=10) == "preference"
