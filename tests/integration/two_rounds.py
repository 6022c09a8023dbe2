"""The loop with a scripted annotator who prefers the shorter answer: ``make two-rounds``; ``--prompts`` for less.

A whole studio with its own engine: tiny-chat writes pairs at two temperatures, the annotator labels them, DPO (or
KTO: ``--method kto``) trains on the votes, and the new model is compared blind with the one before on held-out
prompts, where the annotator again prefers what is shorter. The second round's pairs are written by the model of
the first. The program fails unless intervals tell answer length and win rate from chance, in both rounds and
against the base.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from scipy.stats import ttest_1samp

from studio_core.base.states import TERMINAL, State
from studio_core.base.studio import Studio, open_studio
from studio_core.base.tables import Job, LabelProject
from studio_core.data import store, versions
from studio_core.generation.answer_jobs import AnswerSource
from studio_core.labeling import assignment, exports, items, making, outcomes, projects, rounds, votes
from studio_core.labeling.outcomes import Result
from studio_core.labeling.votes import Verdict
from studio_core.models import registry
from studio_core.runs import queue, reasons
from studio_core.runs.engine_process import ensure_engine
from studio_core.runs.spec import TrainSpec
from studio_core.training import submit
from tests.browser.conftest import stop_engine

ANNOTATOR = "prefers-short"
DATASETS = ("tiny-sft-chat", "sums-prompts")
TEMPERATURES = (0.7, 1.0)
HELD_OUT = 0.4
"""Of the prompts: three comparisons share them."""


@dataclass(frozen=True)
class Length:
    """How much longer the answers of the model after are, in characters, over all prompts of a round."""

    before: float
    after: float
    low: float
    high: float
    """Ends of the 95 % interval of the mean difference, paired by prompt (Student's t)."""


def done(studio: Studio, job: Job) -> Job:
    """The job when it has ended; raises if it did not succeed."""
    ensure_engine(studio)
    while (job := queue.get(studio, job.id)).state not in TERMINAL:
        time.sleep(0.1)
    if job.state != State.SUCCEEDED:
        raise SystemExit(f"job {job.id} ({job.name}) {job.state}: {reasons.ending(job)}")
    return job


def label(studio: Studio, project: LabelProject) -> int:
    """Judge everything in a project; returns the number of verdicts."""
    judged = 0
    while shown := assignment.next_item(studio, project.id, ANNOTATOR):
        left, right = (len(answer["text"]) for answer in shown.answers)
        verdict = "tie" if left == right else "left" if left < right else "right"
        votes.cast(studio, project.id, ANNOTATOR, shown.item.id, Verdict(verdict))
        judged += 1
    return judged


def trained(studio: Studio, project: LabelProject, name: str, method: str) -> Job:
    """Train the newest model of the loop on all votes so far."""
    dataset = exports.make_dataset(studio, project.id, rounds.exports_by_method()[method])[0]
    model = rounds.model_to_train(studio, projects.get(studio, project.id))
    assert model is not None
    named = f"{dataset.name}@{dataset.version}"
    spec = TrainSpec(name=name, method=method, model=model.name, dataset=named)
    job = done(studio, submit(studio, spec))
    print(f"{name}: {method} of {model.name}, {dataset.rows} rows, {seconds(job):.0f} s", flush=True)
    return job


def seconds(job: Job) -> float:
    assert job.started_at and job.finished_at
    return (job.finished_at - job.started_at).total_seconds()


def compared(
    studio: Studio, project: LabelProject, run: Job, against: str, limit: int
) -> tuple[Result, Length]:
    round, job = rounds.compare(studio, project.id, run, against=against, limit=limit)
    assert job is not None
    done(studio, job)
    label(studio, round)
    round = projects.get(studio, round.id)
    return outcomes.result(studio, round), length(studio, round)


def length(studio: Studio, round: LabelProject) -> Length:
    """Over all prompts of the round: answers that are the same differ by nothing."""
    after = round.round["after"]
    lengths: list[tuple[int, int]] = []
    for item in items.page(studio, round.id, limit=10_000):
        by_side = {answer["model"] == after: len(answer["text"]) for answer in item.answers}
        lengths.append((by_side[False], by_side[True]))
    differences = [new - old for old, new in lengths] + [0] * round.counts.get("identical", 0)
    interval = ttest_1samp(differences, 0).confidence_interval()
    old, new = (sum(side) / len(lengths) for side in zip(*lengths, strict=True))
    return Length(old, new, float(interval.low), float(interval.high))


def said(title: str, found: Result, moved: Length) -> tuple[str, bool]:
    """A line of the report, and whether both figures are told from chance in the direction that was wanted."""
    line = (
        f"| {title} | {found.before} | {found.after} | {found.found.wins} | {found.found.losses} | {found.found.ties} "
        f"| {found.identical} | {100 * found.found.rate:.0f} % ({100 * found.found.low:.0f} to "
        f"{100 * found.found.high:.0f}) | {found.found.p_value:.1g} | {moved.before:.1f} | {moved.after:.1f} "
        f"| {moved.low:.1f} to {moved.high:.1f} |"
    )
    return line, found.found.outcome == "better" and found.found.low > 0.5 and moved.high < 0


def run(home: Path, prompts: int, seed: int, method: str) -> tuple[list[str], bool]:
    """Both rounds in a fresh studio; the report's table and whether all of it came out."""
    studio = open_studio(home=home)
    try:
        registry.ensure_demo_models(studio)
        store.ensure_samples(studio)
        sources = [AnswerSource(model="tiny-chat", temperature=t, seed=seed) for t in TEMPERATURES]
        drawn = [
            making.prompts_of_dataset(studio, versions.get(studio, name), limit=prompts // 2)
            for name in DATASETS
        ]
        project, job = making.create(
            studio,
            "shorter",
            chain(*drawn),
            sources,
            settings={"held_out": HELD_OUT},
            seed=seed,
        )
        each = int(prompts * HELD_OUT / 3.5)
        found = []
        for number in (1, 2):
            done(studio, job)
            counts = projects.get(studio, project.id).counts
            print(f"round {number}: {label(studio, project)} verdicts; answers made: {counts}", flush=True)
            training = trained(studio, project, f"shorter-{number}", method)
            found.append(said(f"{number}, previous", *compared(studio, project, training, "previous", each)))
            if number == 1:
                newest = f"shorter-{number}"
                again = [AnswerSource(model=newest, temperature=t, seed=seed) for t in TEMPERATURES]
                job = making.more(studio, project.id, sources=again)
            else:
                found.append(said("2, base", *compared(studio, project, training, "base", each)))
        return [line for line, _ in found], all(well for _, well in found)
    finally:
        stop_engine(home)
        studio.close()


HEAD = [
    "| round | before | after | wins | losses | ties | identical | win rate | sign test p | characters before | after "
    "| mean difference, 95 % |",
    "|---|---|---|---:|---:|---:|---:|---|---:|---:|---:|---|",
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=1200)
    parser.add_argument("--method", choices=("dpo", "kto"), default="dpo")
    parser.add_argument("--seeds", type=int, default=1, help="how often, each in a fresh studio")
    given = parser.parse_args()
    well = True
    for seed in range(given.seeds):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as home:
            table, came_out = run(Path(home), given.prompts, seed, given.method)
        print("\n".join([f"\nSeed {seed}, {time.monotonic() - began:.0f} s", "", *HEAD, *table]), flush=True)
        well = well and came_out
    print("\nTold from chance in every comparison." if well else "\nNOT told from chance everywhere.")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
