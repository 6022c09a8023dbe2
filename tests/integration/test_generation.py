"""Operations that ask a model, carried out by a real worker on a miniature model or a service on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from jobs.curation.main import main
from studio_core.base import atomic
from studio_core.base.errors import BadInput, NotFound, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job
from studio_core.curation import making
from studio_core.data import store
from studio_core.data.shapes import Record
from studio_core.generation import services
from studio_core.models import registry
from studio_core.runs import run_folder
from studio_core.runs.spec import DataSpec
from tests.conftest import wait_until
from tests.fake_service import FakeService, fake_service, reply
from tests.integration.miniature import miniature_model
from tests.unit.jobs.generation.small_models import save_llama

KEY = "sk-secret-0123456789"
ENVIRONMENT = {**os.environ, "TUNESMITH_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
ROWS = 30

Reply = tuple[int, Any, dict[str, str]]


@pytest.fixture
def asked(studio: Studio, tmp_path: Path) -> Dataset:
    file = tmp_path / "asked.jsonl"
    rows = [{"prompt": f"What is {n} + {n}?", "answer": str(2 * n)} for n in range(ROWS)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return store.import_file(studio, file).dataset


def submit(studio: Studio, operation: str, dataset: str, **options: Any) -> Job:
    return making.submit(studio, DataSpec(operation=operation, datasets=[dataset], options=options))


def folder_of(job: Job) -> Path:
    """The folder of a job with its spec, as the engine hands it to a worker."""
    folder = Path(job.run_dir or "")
    folder.mkdir(parents=True)
    atomic.write_json(folder / run_folder.SPEC, job.spec["run"])
    return folder


def begun(job: Job) -> subprocess.Popen[bytes]:
    """The worker of a job, started as the supervisor starts it."""
    folder = folder_of(job)
    with open(folder / run_folder.LOG, "wb") as log:
        command = [sys.executable, "-m", "jobs.worker", str(folder)]
        return subprocess.Popen(command, env=ENVIRONMENT, stdout=log, stderr=log)


def made(studio: Studio, job: Job, worker: subprocess.Popen[bytes] | None = None) -> list[Dataset]:
    worker = worker or begun(job)
    assert worker.wait(240) == 0, (Path(job.run_dir or "") / run_folder.LOG).read_text()
    return making.register_result(studio, job, result(job))


def made_here(studio: Studio, job: Job) -> list[Dataset]:
    """As ``made``, without a process of its own: importing torch again takes most of the time."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        main(folder_of(job))
    finally:
        signal.signal(signal.SIGTERM, before)
    return making.register_result(studio, job, result(job))


def result(job: Job) -> dict[str, Any]:
    lines = (Path(job.run_dir or "") / run_folder.EVENTS).read_text().splitlines()
    return next(event for event in map(json.loads, lines) if event["type"] == "result")


def add_service(studio: Studio, service: FakeService) -> None:
    services.add(studio.settings.home / services.FILE, "far", service.address, "big", KEY, price_in=1.0)


def said(dataset: Dataset, studio: Studio, column: str) -> list[str]:
    return [record[column][-1]["content"] for record in store.records(studio, dataset, limit=ROWS)]


def test_a_service_teaches_and_its_key_is_nowhere(studio: Studio, asked: Dataset) -> None:
    def answer(document: dict[str, Any], before: int) -> Reply:
        text = document["messages"][-1]["content"]
        if text.startswith("What is 0 "):
            return 200, reply("I'm sorry, but I can't help with that."), {}
        if text.startswith("What is 1 "):
            return 200, reply("half an ans", "length"), {}
        if text.startswith("What is 2 "):
            return 400, {"error": {"message": f"bad {KEY}"}}, {}
        return 200, reply(f"<script>{text}</script>"), {}

    with fake_service(answer) as service:
        add_service(studio, service)
        job = submit(studio, "distill", "asked", service="far", system="Be brief.", keep_system=True)
        assert job.spec["light"]
        worker = begun(job)
        [dataset] = made(studio, job, worker)
        assert service.keys == {f"Bearer {KEY}"}
    details = dataset.made["details"]
    assert dataset.made["counts"] == {"dropped": 3, "kept": 27}
    assert details["reasons"] == {"refusal": 1, "truncated": 1, "unanswered": 1}
    assert details["answers"][0]["cost"] == pytest.approx(29 * 10 / 1e6)
    assert details["answers"][0]["reasons"] == {"HTTP 400: bad ***": 1}
    [record] = store.records(studio, dataset, limit=1)
    assert [turn["role"] for turn in record["prompt"]] == ["system", "user"]
    assert record["completion"][0]["content"] == "<script>What is 3 + 3?</script>"
    written = [p for p in studio.settings.home.rglob("*") if p.is_file() and p.name != services.FILE]
    assert written and not any(KEY.encode() in path.read_bytes() for path in written)


def test_killed_in_the_middle_and_resumed_nothing_is_asked_twice(studio: Studio, asked: Dataset) -> None:
    with fake_service() as service:
        service.delay = 0.1
        add_service(studio, service)
        job = submit(studio, "distill", "asked", service="far", concurrency=1)
        worker = begun(job)
        wait_until(lambda: len(service.asked) >= 6 or worker.poll() is not None, what="six questions")
        worker.kill()
        worker.wait()
        service.delay = 0.0
        again = submit(studio, "distill", "asked", service="far", concurrency=4)
        [dataset] = made_here(studio, again)
        questions = [json.dumps(document) for document in service.asked]
    assert dataset.rows == ROWS and len(set(questions)) == ROWS
    assert len(questions) - ROWS <= 1  # Only what was on its way when the worker was killed.
    [asking] = dataset.made["details"]["answers"]
    assert asking["cached"] >= 5 and asking["asked"] + asking["cached"] == ROWS


def test_a_stop_gives_what_there_is(studio: Studio, asked: Dataset) -> None:
    with fake_service() as service:
        service.delay = 0.2
        add_service(studio, service)
        job = submit(studio, "distill", "asked", service="far", concurrency=2)
        worker = begun(job)
        wait_until(lambda: len(service.asked) >= 10 or worker.poll() is not None, what="ten questions")
        worker.send_signal(signal.SIGTERM)
        [dataset] = made(studio, job, worker)
    assert 8 <= dataset.rows < ROWS and dataset.made["stopped"]
    assert result(job)["state"] == "stopped"


def test_best_of_several_by_a_rule_and_by_a_judge(studio: Studio, asked: Dataset) -> None:
    def answer(document: dict[str, Any], before: int) -> Reply:
        text = document["messages"][-1]["content"]
        if text.startswith("You judge"):
            return 200, reply("9" if "is right" in text else "2"), {}
        n = int(text.split()[2])
        right = (before + n) % 3 == 0
        return 200, reply(f"It is right: \\boxed{{{2 * n}}}" if right else f"No idea {before}"), {}

    with fake_service(answer) as service:
        add_service(studio, service)
        asking = {"service": "far", "k": 3}
        [pairs] = made_here(studio, submit(studio, "best_of", "asked@1", **asking, result="pairs"))
        judged = {**asking, "scored_by": "judge", "judge_service": "far", "min_score": 5.0}
        [best] = made_here(studio, submit(studio, "best_of", "asked@1", **judged))
        questions = [d for d in service.asked if not d["messages"][-1]["content"].startswith("You judge")]
        assert len(questions) == 3 * ROWS  # The second job took the answers of the first.
        assert len(service.asked) == 6 * ROWS
    assert (pairs.shape, pairs.rows) == ("preference", ROWS)
    assert (best.shape, best.rows) == ("prompt-completion", ROWS)
    assert all("right" in text for text in said(pairs, studio, "chosen") + said(best, studio, "completion"))
    assert not any("right" in text for text in said(pairs, studio, "rejected"))
    spread = pairs.made["details"]["distribution"]
    assert spread["mean"] == {"mean": pytest.approx(1 / 3, abs=1e-5), "best": 1.0}
    assert best.made["details"]["distribution"]["threshold"] == 5.0
    with pytest.raises(BadInput, match="has a reference answer"):
        made_here(studio, submit(studio, "best_of", "asked@1", **asking, reward_setting="nowhere"))


def test_ties_and_equal_answers_make_no_pairs(studio: Studio, asked: Dataset) -> None:
    def answer(document: dict[str, Any], before: int) -> Reply:
        n = int(document["messages"][-1]["content"].split()[2])
        return 200, reply("the same" if n % 2 else f"wrong {before}"), {}

    with fake_service(answer) as service:
        add_service(studio, service)
        job = submit(studio, "best_of", "asked", service="far", k=2, result="pairs")
        with pytest.raises(BadInput, match="left no record"):
            made_here(studio, job)


def test_a_margin_keeps_the_best_answer_only_where_another_is_worse(studio: Studio, asked: Dataset) -> None:
    def answer(document: dict[str, Any], before: int) -> Reply:
        n = int(document["messages"][-1]["content"].split()[2])
        return 200, reply(f"\\boxed{{{2 * n}}}" if n % 3 == 0 or before == 1 else "No idea."), {}

    with fake_service(answer) as service:
        add_service(studio, service)
        wanted = {"service": "far", "k": 2, "min_score": 1.0, "margin": 1.0}
        [best] = made_here(studio, submit(studio, "best_of", "asked@1", **wanted))
    asked_of = [int(record["prompt"][-1]["content"].split()[2]) for record in store.records(studio, best)]
    assert asked_of and all(n % 3 for n in asked_of)
    assert best.made["details"]["reasons"]["small_margin"] == ROWS - best.rows


def test_corrections_by_rules_and_by_a_rewriter(studio: Studio, asked: Dataset) -> None:
    def answer(document: dict[str, Any], before: int) -> Reply:
        text = document["messages"][-1]["content"]
        if text.startswith("Here is a question"):
            return 200, reply("It is rewritten."), {}
        texts = ("I am Old.", "I am New Old.", "Nobody asked.")
        return 200, reply(texts[int(text.split()[2]) % 3]), {}

    with fake_service(answer) as service:
        add_service(studio, service)
        [replaced] = made_here(
            studio, submit(studio, "correct", "asked@1", service="far", rules="Old => New Old")
        )
        rewriting = {"by": "rewrite", "instruction": "Mend.", "editor_service": "far"}
        [rewritten] = made_here(studio, submit(studio, "correct", "asked@1", service="far", **rewriting))
    assert replaced.made["counts"] == {"kept": 10, "dropped": 20}
    assert replaced.made["details"]["reasons"] == {"unchanged": 20}
    assert set(said(replaced, studio, "chosen")) == {"I am New Old."}
    assert set(said(replaced, studio, "rejected")) == {"I am Old."}
    assert rewritten.rows == ROWS and set(said(rewritten, studio, "chosen")) == {"It is rewritten."}


def test_a_judge_keeps_the_best_and_its_scores_serve_a_selection(studio: Studio, tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    rows = [{"prompt": f"q{n}", "completion": f"answer {n}"} for n in range(10)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    store.import_file(studio, file)

    def answer(document: dict[str, Any], before: int) -> Reply:
        n = int(document["messages"][-1]["content"].rpartition("\nanswer ")[2].split()[0])
        return 200, reply(f"{n}/10" if n else "I cannot say"), {}

    with fake_service(answer) as service:
        add_service(studio, service)
        [kept] = made_here(studio, submit(studio, "judge", "answers@1", service="far", min_score=4.0))
        [top] = made_here(studio, submit(studio, "judge", "answers@1", service="far", keep_top=0.2))
        assert len(service.asked) == 10
    assert kept.made["details"]["reasons"] == {"unreadable_score": 1, "low_score": 3}
    assert [record["judge_score"] for record in store.records(studio, kept, limit=10)] == list("456789")
    assert [record["judge_score"] for record in store.records(studio, top, limit=10)] == ["8", "9"]


def test_a_local_model_answers_the_same_again_and_is_surprised(studio: Studio, tmp_path: Path) -> None:
    model = miniature_model(studio.settings.models / "mini")
    registry.add(studio, model.path, name="mini")
    file = tmp_path / "pairs.jsonl"
    rows = [
        {"prompt": f"say {'a' * (n % 5 + 1)}", "chosen": "good" * (n % 4 + 1), "rejected": f"zq#{n}"}
        for n in range(20)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    store.import_file(studio, file)
    options = {"model": "mini", "max_tokens": 5, "drop_truncated": False}
    [first] = made_here(studio, submit(studio, "distill", "pairs@1", **options))
    for cached in (studio.settings.home / "answers").glob("*"):
        cached.unlink()
    [again] = made_here(studio, submit(studio, "distill", "pairs@1", **options))
    assert first.sha256 == again.sha256 and first.made["details"]["answers"][0]["asked"] == 5
    kept, aside = made_here(studio, submit(studio, "perplexity", "pairs@1", model="mini", keep=0.75))
    assert kept.rows + aside.rows == 20 and 4 <= aside.rows <= 6 and aside.name.endswith("-set-aside")
    surprise = kept.made["details"]["distribution"]
    assert sum(surprise["counts"]["chosen"]) == sum(surprise["counts"]["rejected"]) == 20
    assert surprise["edges"][0] <= surprise["threshold"] <= surprise["edges"][-1]
    with pytest.raises(BadInput, match="is not a reward model"):
        made_here(
            studio,
            submit(
                studio, "best_of", "pairs@1", model="mini", max_tokens=5, scored_by="reward_model",
                reward_model="mini", drop_truncated=False,
            ),
        )  # fmt: skip


def add_scorer(studio: Studio, name: str, seed: int) -> Path:
    folder = studio.settings.models / name
    save_llama(folder)
    torch.manual_seed(seed)
    base = transformers.AutoConfig.from_pretrained(folder, num_labels=1)
    transformers.LlamaForSequenceClassification(base).save_pretrained(folder)
    registry.add(studio, str(folder), name=name)
    return folder


def scores_by(folder: Path, asked: list[tuple[list[Any], str]]) -> list[float]:
    """What a reward model says of answers, one by one."""
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    scores = []
    for prompt, answer in asked:
        turns = [*prompt, {"role": "assistant", "content": answer}]
        text = tokenizer.apply_chat_template(turns, tokenize=False)
        with torch.no_grad():
            scores.append(
                float(model(**tokenizer(text, return_tensors="pt", add_special_tokens=False)).logits)
            )
    return scores


def test_several_reward_models_choose_together(studio: Studio, asked: Dataset) -> None:
    folders = [add_scorer(studio, f"scorer-{seed}", seed) for seed in range(3)]
    texts = ["a", "bb", "ccc"]

    def answer(document: dict[str, Any], before: int) -> Reply:
        return 200, reply(texts[before]), {}

    options = {"k": 3, "scored_by": "reward_model", "reward_model": [folder.name for folder in folders]}
    with fake_service(answer) as service:
        add_service(studio, service)
        job = submit(studio, "best_of", "asked@1", service="far", **options, disagreement_penalty=0.5)
        assert [*job.spec["run"]["models"]] == ["reward_model", "reward_model.2", "reward_model.3"]
        [best] = made_here(studio, job)
    prompts = [record["prompt"] for record in store.records(studio, asked, limit=ROWS)]
    items = [(prompt, text) for prompt in prompts for text in texts]
    table = np.array([scores_by(folder, items) for folder in folders])
    table = (table - table.mean(1, keepdims=True)) / table.std(1, keepdims=True)
    values = (table.mean(0) - 0.5 * table.std(0)).reshape(ROWS, 3)
    assert said(best, studio, "completion") == [texts[place] for place in values.argmax(1)]
    ensemble = best.made["details"]["ensemble"]
    assert ensemble["models"] == [folder.name for folder in folders]
    assert ensemble["disagreement"] == pytest.approx(table.std(0).mean(), abs=1e-3)


def test_reward_models_keep_the_best_answers(studio: Studio, tmp_path: Path) -> None:
    folders = [add_scorer(studio, f"scorer-{seed}", seed) for seed in range(2)]
    file = tmp_path / "answers.jsonl"
    rows = [{"prompt": f"q{n}", "completion": "abcdefghij"[n] * (n + 1)} for n in range(10)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    store.import_file(studio, file)
    items = [([{"role": "user", "content": row["prompt"]}], row["completion"]) for row in rows]
    alone = scores_by(folders[0], items)

    [top] = made_here(studio, submit(studio, "score", "answers@1", reward_model="scorer-0", keep_top=0.3))
    best = sorted(sorted(range(10), key=lambda place: -alone[place])[:3])
    assert said(top, studio, "completion") == [rows[place]["completion"] for place in best]
    kept = store.records(studio, top, limit=10)
    assert [float(record["reward_score"]) for record in kept] == pytest.approx(
        [alone[n] for n in best], abs=1e-4
    )
    assert "reward_disagreement" not in kept[0] and "ensemble" not in top.made["details"]

    middle = sorted(alone)[5]
    options = {"reward_model": "scorer-0", "min_score": middle - 1e-5, "keep_scores": False}
    [above] = made_here(studio, submit(studio, "score", "answers@1", **options))
    assert above.rows == 5 and above.made["details"]["reasons"] == {"low_score": 5}
    assert "reward_score" not in store.records(studio, above, limit=1)[0]

    both = {"reward_model": ["scorer-0", "scorer-1"], "step_aggregation": "product"}
    [all_of_them] = made_here(studio, submit(studio, "score", "answers@1", **both))
    assert (
        all_of_them.rows == 10 and all_of_them.made["details"]["ensemble"]["models"] == both["reward_model"]
    )
    assert all(float(r["reward_disagreement"]) >= 0 for r in store.records(studio, all_of_them, limit=10))


def test_a_reward_model_chooses(studio: Studio, asked: Dataset) -> None:
    folder = add_scorer(studio, "scorer", 0)

    def answer(document: dict[str, Any], before: int) -> Reply:
        return 200, reply("abc"[before] * (before + 1)), {}

    with fake_service(answer) as service:
        add_service(studio, service)
        options = {"service": "far", "k": 3, "scored_by": "reward_model", "reward_model": "scorer"}
        job = submit(studio, "best_of", "asked", result="pairs", **options)
        assert not job.spec["light"]
        [pairs] = made_here(studio, job)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    def score(record: Record, side: str) -> float:
        text = tokenizer.apply_chat_template(record["prompt"] + record[side], tokenize=False)
        with torch.no_grad():
            return float(model(**tokenizer(text, return_tensors="pt", add_special_tokens=False)).logits)

    records = store.records(studio, pairs, limit=ROWS)
    assert len(records) == ROWS
    assert all(score(record, "chosen") > score(record, "rejected") for record in records[:10])


@pytest.mark.parametrize(
    ("operation", "options", "sentence"),
    [
        ("distill", {"service": "far"}, "no service 'far'"),
        ("distill", {}, "Set exactly one of model and service"),
        ("distill", {"model": "x", "service": "y"}, "Set exactly one of model and service"),
        ("distill", {"model": "nothing"}, "nothing"),
        ("best_of", {"model": "x", "temperature": 0.0}, "are the same"),
        ("best_of", {"model": "x", "result": "pairs", "k": 1}, "needs two answers"),
        (
            "best_of",
            {"model": "x", "reward": "matches", "reward_setting": "("},
            "not a valid regular expression",
        ),
        ("best_of", {"model": "x", "scored_by": "judge"}, "Set exactly one of judge_model and judge_service"),
        ("best_of", {"model": "x", "scored_by": "reward_model"}, "No reward model"),
        ("score", {}, "No reward model"),
        ("score", {"reward_model": ["rm", "rm"]}, "rm is chosen twice"),
        ("score", {"reward_model": "rm", "disagreement_penalty": 1.0}, "rm is the only reward model"),
        ("correct", {"model": "x"}, "No rules"),
        ("correct", {"model": "x", "rules": "Old New"}, "is not a rule"),
        ("correct", {"model": "x", "by": "rewrite", "editor_model": "y"}, "No rewrite instruction"),
    ],
)
def test_what_cannot_be_done_is_said_before_it_is_queued(
    studio: Studio, asked: Dataset, operation: str, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises((BadInput, NotFound, StudioError), match=sentence):
        submit(studio, operation, "asked", **options)
