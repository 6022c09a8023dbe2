"""Measures reward models on tiny-chat's own sums over three seeds: `python -m jobs.demo.reward_models`.

Writes docs/reward-models-report.md. tiny-chat answers sums in two styles, one of which is mostly right: what its reward
models learn from a minute of training, and what they do not, is what the report shows.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pyarrow
from pyarrow import parquet
from scipy.stats import spearmanr

from jobs.demo import process_rewards, sums
from jobs.demo.finetune import PARAMETERS, STATIC, carry_out
from jobs.demo.measure import processor
from jobs.demo.process_rewards import batches
from jobs.demo.sums import Sum
from jobs.generation.answering import Question, answers
from jobs.generation.engines.loop import LoopEngine, models
from jobs.generation.ensemble import together
from jobs.generation.scoring import BATCH, RewardModel
from jobs.generation.step_scoring import StepRewardModel
from studio_core import methods
from studio_core.data.chat_format import ChatFormat
from studio_core.data.shapes import Message
from studio_core.generation.sampling import Sampling
from studio_core.methods.base import validated
from studio_core.runs.run_folder import MODEL
from studio_core.runs.spec import ResolvedDataset, ResolvedModel, RunSpec, TrainSpec

SEEDS = (1, 2, 3)
TRAINED_ON, SAMPLES = 600, 6
"""Problems that are trained on, and answers that tiny-chat draws to each."""
UNSEEN = 200
"""Problems that no training saw, of tiny-chat's own either: the standard error of a share of 95 % is 1.5 points."""
BEST_OF = 4
RATE = {"learning_rate": 5e-4}
"""Half of the preset's: at 1e-3 some seeds forget the trunk before the new output points anywhere."""
OFF_TOPIC = "The river runs to the sea."
CHAT = ResolvedModel(name="tiny-chat", path=str(STATIC / "models" / "tiny-chat"), parameters=PARAMETERS)
Figures = dict[str, float]
Scores = Callable[[list[tuple[list[Message], str]]], list[float]]
"""What one or several reward models say of answers to prompts."""


@dataclass(frozen=True)
class Problem:
    sum: Sum
    prompt: list[Message]
    answers: tuple[str, ...] = ()

    def right(self, answer: str) -> bool:
        return answer.rstrip(".").endswith(f"\\boxed{{{self.sum.answer}}}")

    def near_miss(self) -> str:
        """The worked answer with another last digit: the same words, and wrong."""
        last = self.sum.answer + (1 if self.sum.answer % 10 < 9 else -1)
        return re.sub(r"\\boxed\{.*\}", rf"\\boxed{{{last}}}", sums.worked(self.sum))


def problems(count: int, seed: int, *, test: bool) -> list[Problem]:
    rng, drawn = random.Random(seed), dict[Sum, Problem]()
    while len(drawn) < count:
        one = sums.draw(rng, test=test)
        prompt: list[Message] = [{"role": "user", "content": sums.wording(one, rng, test=test)}]
        drawn.setdefault(one, Problem(one, prompt))
    return list(drawn.values())


def answered(asked: list[Problem], samples: int, seed: int) -> list[Problem]:
    """Each problem with that many answers of tiny-chat at temperature 1."""
    by_key: dict[str, list[str]] = {Question(one.prompt).key: [] for one in asked}
    sampling = Sampling(temperature=1.0, top_p=1.0, max_tokens=36, n=samples, seed=seed)
    engine = LoopEngine(models(), CHAT, batch=64)
    for question, outcome in answers(engine, (Question(one.prompt) for one in asked), sampling):
        by_key[Question(question.messages).key].append(outcome.text)  # type: ignore[union-attr]
    return [Problem(one.sum, one.prompt, tuple(by_key[Question(one.prompt).key])) for one in asked]


def said(text: str) -> list[Message]:
    return [{"role": "assistant", "content": text}]


def pair_of(one: Problem) -> tuple[str, str] | None:
    """A right and a wrong answer of tiny-chat's own to a problem, if it gave both."""
    right = [text for text in one.answers if one.right(text)]
    wrong = [text for text in one.answers if text and not one.right(text)]
    return (right[0], wrong[0]) if right and wrong else None


def pairs(asked: list[Problem]) -> Iterator[dict[str, Any]]:
    for one in asked:
        if both := pair_of(one):
            yield {"prompt": one.prompt, "chosen": said(both[0]), "rejected": said(both[1])}


def grade(one: Problem, answer: str) -> float:
    """10: right and worked out; 8: right; 3: wrong, but worked out; 2: wrong."""
    shown = "Ones:" in answer
    return (10.0 if shown else 8.0) if one.right(answer) else (3.0 if shown else 2.0)


def scored(asked: list[Problem], each: int) -> Iterator[dict[str, Any]]:
    for one in asked:
        for answer in list(dict.fromkeys(filter(None, one.answers)))[:each]:
            yield {"prompt": one.prompt, "completion": said(answer), "score": grade(one, answer)}


def ranked(one: Problem) -> list[str]:
    """Best first: worked and right, right, a near miss, off topic."""
    return [sums.worked(one.sum), f"The answer is \\boxed{{{one.sum.answer}}}.", one.near_miss(), OFF_TOPIC]


def rankings(asked: list[Problem]) -> Iterator[dict[str, Any]]:
    for one in asked:
        yield {"prompt": one.prompt, "completions": ranked(one), "ranks": [1, 2, 3, 4]}


def trained(method: str, rows: list[dict[str, Any]], seed: int, folder: Path) -> ResolvedModel:
    """A reward model made of tiny-chat by the studio's own script, with its preset and half of the rate."""
    folder.mkdir()
    path = folder / "data.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    options = validated(methods.named(method), "balanced", "full", PARAMETERS, {**RATE, "eval_share": 0.0})
    run = RunSpec(
        spec=TrainSpec(method=method, model=CHAT.name, dataset="sums", seed=seed, device="cpu"),
        model=CHAT,
        dataset=ResolvedDataset(
            id=1, name="sums", version=1, shape=methods.named(method).shapes[0], rows=len(rows),
            path=str(path), sha256="",
        ),
        options=options.model_dump(),
        prompts=[],
    )  # fmt: skip
    carry_out(run, folder)
    return ResolvedModel(name=method, path=str(folder / MODEL))


def scores(
    models: list[RewardModel], asked: list[tuple[list[Message], str]], penalty: float = 0.0
) -> list[float]:
    """By one model or by several together: their mean less the penalty times their standard deviation."""
    table = []
    for model in models:
        texts = [model.text(prompt, answer) for prompt, answer in asked]
        table.append([score for some in batches(texts, BATCH) for score in model.scores(some)])
    return [score.value for score in together(np.array(table), penalty)]


def share_in_order(scores: Scores, asked: list[tuple[Problem, str, str]]) -> float:
    """Per cent of pairs whose better answer, which comes first, has the higher score."""
    # In one call: several models are standardised over all that is compared.
    given = scores([(one.prompt, text) for one, better, worse in asked for text in (better, worse)])
    return 100 * mean(better > worse for better, worse in batches(given, 2))


def best_of(scores: Scores, asked: list[Problem]) -> float:
    """Per cent of problems whose highest-scored answer of the first ``BEST_OF`` is right."""
    given = scores([(one.prompt, text) for one in asked for text in one.answers[:BEST_OF]])
    chosen = [int(np.argmax(own)) for own in batches(given, BEST_OF)]
    return 100 * mean(one.right(one.answers[place]) for one, place in zip(asked, chosen, strict=True))


def measured(scores: Scores, asked: list[Problem]) -> Figures:
    """What any of the reward models is worth on problems that it never saw."""
    own = [(one, *both) for one in asked if (both := pair_of(one))]
    near = [(one, sums.worked(one.sum), one.near_miss()) for one in asked]
    return {
        "own pairs": share_in_order(scores, own),
        "near misses": share_in_order(scores, near),
        f"best of {BEST_OF}": best_of(scores, asked),
    }


def regression_figures(scores: Scores, asked: list[Problem]) -> Figures:
    rows = list(scored(asked, BEST_OF))
    given = scores([(row["prompt"], row["completion"][0]["content"]) for row in rows])
    wanted = np.array([row["score"] for row in rows])
    return {
        "mae": float(np.abs(np.array(given) - wanted).mean()),
        "mae of the mean": float(np.abs(wanted - wanted.mean()).mean()),
        "rank correlation": float(spearmanr(given, wanted).statistic),
    }


def ranking_figures(scores: Scores, asked: list[Problem]) -> Figures:
    own = [*batches(scores([(one.prompt, text) for one in asked for text in ranked(one)]), 4)]
    order = [[a > b for place, a in enumerate(row) for b in row[place + 1 :]] for row in own]
    return {
        "pairs in order": 100 * mean(value for row in order for value in row),
        "best first": 100 * mean(max(row) == row[0] for row in own),
    }


def ensembles(models: list[RewardModel], asked: list[Problem]) -> dict[str, Figures]:
    """The seeds together: their mean, and less once and twice their standard deviation."""
    names = {0.0: "mean of the scores", 1.0: "mean - sd", 2.0: "mean - 2 sd"}
    return {name: measured(partial(scores, models, penalty=k), asked) for k, name in names.items()}


def process_figures(
    seen: list[Problem], unseen: list[Problem], seeds: int, folder: Path
) -> dict[str, Figures]:
    """What process reward models find of planted errors, and what tiny-chat itself does."""
    learnt, asked = (
        process_rewards.solutions([(one.prompt, one.sum) for one in some], seed)
        for some, seed in ((seen, 3), (unseen, 4))
    )
    untrained = partial(process_rewards.untrained_chances, LoopEngine(models(), CHAT), ChatFormat.of(CHAT))
    threshold = process_rewards.best_threshold(untrained(learnt), learnt)
    figures = {"untrained": process_rewards.figures(untrained, threshold, asked)}
    for seed in SEEDS[:seeds]:
        started = time.process_time()
        rows = [one.record for one in learnt]
        model = StepRewardModel.load(trained("process-reward", rows, seed, folder / f"process-{seed}"))
        seconds = time.process_time() - started
        trained_chances = partial(process_rewards.trained_chances, model)
        figures[f"seed {seed}"] = {
            **process_rewards.figures(trained_chances, 0.5, asked), "CPU seconds": seconds
        }  # fmt: skip
        print("process-reward", seed, json.dumps(figures[f"seed {seed}"]), flush=True)
    return figures


def run(seeds: int) -> dict[str, Any]:
    seen = answered(problems(TRAINED_ON, 11, test=False), SAMPLES, seed=1)
    unseen = answered(problems(UNSEEN, 12, test=True), BEST_OF, seed=2)
    data = {
        "reward": list(pairs(seen)),
        "reward-regression": list(scored(seen, 1)),
        "reward-ranking": list(rankings(seen[:220])),
    }
    extra = {"reward-regression": regression_figures, "reward-ranking": ranking_figures}
    tables: dict[str, dict[str, Figures]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        steps = process_figures(seen, unseen, seeds, folder)
        for method, rows in data.items():
            members, table = list[RewardModel](), dict[str, Figures]()
            for seed in SEEDS[:seeds]:
                started = time.process_time()
                members.append(RewardModel.load(trained(method, rows, seed, folder / f"{method}-{seed}")))
                seconds = time.process_time() - started
                own = partial(scores, members[-1:])
                more = extra[method](own, unseen) if method in extra else {}
                table[f"seed {seed}"] = {**measured(own, unseen), **more, "CPU seconds": seconds}
                print(method, seed, json.dumps(table[f"seed {seed}"]), flush=True)
            tables[method] = table | (ensembles(members, unseen) if len(members) > 1 else {})
    return {
        "one sample": 100 * mean(one.right(one.answers[0]) for one in unseen),
        "oracle": 100 * mean(any(map(one.right, one.answers)) for one in unseen),
        "own pairs": sum(pair_of(one) is not None for one in unseen),
        "rows": {method: len(rows) for method, rows in data.items()} | {"process-reward": len(seen)},
        "tables": tables | {"process-reward": steps},
    }


_INTRODUCTION = """# Reward models: measured

Written by `python -m jobs.demo.reward_models` on {date}. {cpu}, one thread, shared with other work: times are CPU
seconds. tiny-chat drew {samples} answers at temperature 1 to each of {problems} sums; each reward model is tiny-chat
trained whole with the preset `balanced` at the rate 5e-4. All figures are of {unseen} sums that neither tiny-chat
nor the reward model ever saw, with {best_of} answers to each.

- *own pairs*: per cent of {pairs} pairs of a right and a wrong answer of tiny-chat's own that are in order.
- *near misses*: the worked answer against the same words with another last digit. Chance is 50.
- *best of {best_of}*: per cent right if the answer with the highest score is taken. One sample: {one:.1f}; if the right
  one was always known: {oracle:.1f}.
- *mean of the scores*, *mean - sd*: the models of all seeds together, each standardised over the answers that are
  compared, less their disagreement once or twice.
"""

_NOTES = """
tiny-chat works a sum out (mostly right) or answers at once (right half of the time). A reward model of this size
learns to tell the two apart and little of arithmetic: *near misses* says how little. What it picks is right because of
its style, and a model trained against it would be paid for wrong answers in the right style.

Reward models of several seeds learn the same style, so that together they are as good as the best of them and no
better: their disagreement, which is charged for, tells where none of them knows, not where all are wrong alike. Models
of steps stay at the base rate: which digit is wrong is no style.
"""

_TITLES = {
    "reward": "Bradley-Terry, on {rows} pairs of right and wrong answers",
    "reward-regression": "Regression, on {rows} answers scored 10 (right, worked out), 8 (right), 3 and 2 (wrong)",
    "reward-ranking": "Plackett-Luce, on {rows} rankings: worked and right, right, a near miss, off topic",
    "process-reward": "Steps, on {rows} worked sums with an error planted in every second one",
}

_PROCESS = """
- *steps*: per cent of steps that are judged rightly. Saying of every step that it is right: {frequent:.1f}.
- *first error*: per cent of solutions whose first wrong step was found, or that there is none.
- *pairs*: per cent of sums with an error that score lower than the same sum without, by the chances of the steps as one
  number.

*untrained*: a step's chance is that of its least likely token under tiny-chat, which learnt to write such sums; the
threshold is the one that does best on the training data.
"""


def table_of(figures: dict[str, Figures]) -> str:
    """A line for each row, with a dash where it lacks a figure."""
    names = list(dict.fromkeys(name for row in figures.values() for name in row))
    lines = [f"| | {' | '.join(names)} |", "|---|" + "---:|" * len(names)]
    for title, row in figures.items():
        cells = (
            f"{row[name]:.2f}" if abs(row[name]) < 10 else f"{row[name]:.1f}" for name in names if name in row
        )
        # Figures that a row lacks come last.
        dashes = ["-"] * (len(names) - len(row))
        lines.append(f"| {title} | {' | '.join([*cells, *dashes])} |")
    return "\n".join(lines) + "\n"


def report(results: dict[str, Any]) -> str:
    parts = [
        _INTRODUCTION.format(
            date=time.strftime("%Y-%m-%d"), cpu=processor(), samples=SAMPLES, problems=TRAINED_ON,
            unseen=UNSEEN, best_of=BEST_OF, pairs=results["own pairs"], one=results["one sample"],
            oracle=results["oracle"],
        )
    ]  # fmt: skip
    for method, table in results["tables"].items():
        heading = _TITLES[method].format(rows=results["rows"][method])
        # One of the three steps of every second solution is wrong.
        about = _PROCESS.format(frequent=100 * 5 / 6) + "\n" if method == "process-reward" else ""
        parts.append(f"\n## {heading}\n{about or chr(10)}{table_of(table)}")
    return "".join([*parts, _NOTES])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", type=Path, default=Path("docs/reward-models-report.md"))
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    chosen = parser.parse_args()
    chosen.report.write_text(report(run(chosen.seeds)), encoding="utf-8")


if __name__ == "__main__":
    main()
