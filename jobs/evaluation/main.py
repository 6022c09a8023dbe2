"""One evaluation: ``python -m jobs.worker RUN_DIR`` with an ``EvalRun`` in ``spec.json``.

Model by model, suite by suite: all answers of a suite are fetched, many in a batch, then scored. Answers are kept under
the model's files, the prompt and the way of drawing, so that a job that was stopped and started again asks only what is
not known, and ends with the same result. Each model and suite leaves one Parquet file; the ``result`` event names them.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs.curation.answering import Answers
from jobs.evaluation import benchmark, budget, judged, likelihood, training_data, writing
from jobs.evaluation import lm_eval as harness
from jobs.evaluation.further import further
from jobs.evaluation.questions import Questions, questions
from jobs.generation.answering import Stopping, digest
from jobs.machine import peak_memory
from jobs.progress import Progress
from studio_core.base.atomic import read_json
from studio_core.base.errors import StudioError
from studio_core.curation.base import Work
from studio_core.environments import ENVIRONMENTS
from studio_core.evaluation import items_file
from studio_core.evaluation.items_file import AnsweredItem
from studio_core.runs.run_folder import SPEC, EventWriter
from studio_core.runs.spec import EvalRun, ResolvedModel
from studio_core.suites import Suite, lm_eval


def main(run_dir: Path) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    began = time.monotonic()
    run = EvalRun.model_validate(read_json(run_dir / SPEC))
    events = EventWriter(run_dir)
    events.write("phase", phase="preparing")
    suites = [questions(resolved) for resolved in run.suites]
    report = Progress(events)
    events.write("phase", phase="working")
    results = worked(run, run_dir, suites, report, stop.is_set, began)
    report.last()
    if not stop.is_set():
        training_data.look(run, run_dir, results)
    events.write(
        "result",
        state="stopped" if stop.is_set() else "succeeded",
        results=results,
        step=report.done,
        total_steps=report.total,
        seconds=round(time.monotonic() - began, 3),
        peak_memory=peak_memory(),
    )


def worked(
    run: EvalRun,
    folder: Path,
    suites: Sequence[Questions],
    report: Progress,
    stopping: Stopping,
    began: float | None = None,
) -> list[dict[str, Any]]:
    """What all models reached: on as many questions as were asked for, or as there was time for since ``began``."""
    limits: list[int | None] = [run.spec.limit]
    if run.spec.seconds is not None:
        limits = [*budget.limits(max(len(each.items) for each in suites), run.spec.limit, run.spec.least)]
    rounds = [[each.limited(limit) for each in suites] for limit in limits]
    desks: list[Desk] = []

    def work(place: int, out_of_time: Stopping) -> Desk | None:
        desk = Desk(
            run,
            folder,
            report,
            lambda: stopping() or out_of_time(),
            rounds[place],
            desks[-1] if desks else None,
        )
        desk.work()
        # Of the only round there is, what was reached before a stop counts.
        if desks and not desk.whole:
            return None
        desks.append(desk)
        return desk

    sizes = [sum(each.asked for each in asked) for asked in rounds]
    desk = budget.largest_in_time(
        sizes, work, run.spec.seconds or math.inf, began=began, small=budget.small(limits)
    )
    if desk is None:
        return []
    # Files of rounds that a larger one took the place of, or that came too late.
    for file in {*folder.glob("items-*.parquet")} - {folder / each["file"] for each in desk.results}:
        file.unlink()
    if desk.whole:
        report(desk.total, desk.total, {})
    return desk.results


class Desk:
    """The models and suites of a job, and what was reached so far."""

    def __init__(
        self,
        run: EvalRun,
        folder: Path,
        report: Progress,
        stopping: Stopping,
        suites: Sequence[Questions],
        earlier: Desk | None = None,
    ) -> None:
        """``earlier``: the desk of the round before, whose answers are known."""
        self._run, self._folder, self._stopping, self._suites = run, folder, stopping, suites
        self._report = report
        self._round: int = earlier._round + 1 if earlier else 0
        self._done = earlier.total if earlier else 0
        self.total = self._done + len(run.models) * sum(each.asked for each in suites)
        self.results: list[dict[str, Any]] = []
        self._failure: StudioError | None = None
        # Who judges goes on: what a service has refused is not asked of it in each round.
        self._bench = replace(earlier._bench, rows={}) if earlier and earlier._bench else None

    @property
    def whole(self) -> bool:
        return len(self.results) == len(self._run.models) * len(self._suites)

    def work(self) -> None:
        """Ask all models; raises why if none of them answered anything."""
        for model in by_base(list(self._run.models.values())):
            for suite in self._suites:
                if not self._stopping():
                    self._one(model, suite)
                self._done += suite.asked
        if self._failure and self.whole and not any(each["value"] is not None for each in self.results):
            raise self._failure

    def _one(self, model: ResolvedModel, asked: Questions) -> None:
        began, error, rows = time.monotonic(), "", []
        work = self._work(model)
        try:
            rows = self._answered(work, model, asked)
        except StudioError as failure:
            # A model without a chat template, say: the others can still be measured.
            self._failure, error = self._failure or failure, failure.sentence()
            rows = work.details.get(judged.ANSWERED, [])
        if self._stopping():
            # Half a suite is no result; its answers are known when the job is resumed.
            return
        # Of the round too: until this one is whole, the files of the one before are the result.
        file = f"items-{self._round}-{len(self.results)}.parquet"
        items_file.write(self._folder / file, rows)
        tallies = work.details.get("answers", [])
        verdicts = work.details.get(judged.FIGURES)
        self.results.append(
            {
                "model": model.name,
                "suite": asked.suite.name,
                "questions": self._identity(asked, rows),
                "value": judged.headline(verdicts) if verdicts else mean([row.value for row in rows]),
                "figures": {
                    **figures(rows),
                    "limit": asked.limit,
                    "unit": asked.suite.unit,
                    "higher_is_better": asked.suite.higher_is_better,
                    **({judged.FIGURES: verdicts} if verdicts else {}),
                    "seconds": round(time.monotonic() - began, 3),
                    "asked": sum(tally["asked"] for tally in tallies),
                    "cached": sum(tally["cached"] for tally in tallies),
                    **({"further": told} if (told := further(asked, rows)) else {}),
                    **({"tools": tools} if (tools := told_tools(asked.suite)) else {}),
                    **({"error": error} if error else {}),
                },
                "file": file,
            }
        )

    def _answered(self, work: Work, model: ResolvedModel, asked: Questions) -> list[AnsweredItem]:
        if asked.suite.scored_by == lm_eval.SCORED_BY:
            return self._of_harness(model, asked)
        if asked.suite.benchmark:
            return self._of_benchmark(model, asked)
        # Only here: torch takes seconds to load, and a broken file of questions is told before.
        from jobs.evaluation import drift, rewarded, tool_use
        from jobs.generation.engines.loop import LoopEngine, models

        engine = LoopEngine(models(), model)
        if asked.suite.scored_by == "judge":
            self._bench = self._bench or judged.bench(work, self._run.spec.judge_service, self._first.name)
            return judged.answered(work, engine, self._bench, asked, self._done, self.total)
        if asked.suite.scored_by in ("choices", "text"):
            return likelihood.answered(work, engine, asked, self._done, self.total)
        answers = Answers(work, engine, writing.sampling_of(asked.suite, self._run.spec.seed))
        if asked.reward_model is not None:
            work.models["reward_model"] = asked.reward_model
            return rewarded.answered(work, answers, asked, self._done, self.total)
        if asked.suite.scored_by == "environment":
            return tool_use.answered(work, engine, asked, self._run.spec.seed, self._done, self.total)
        if asked.suite.scored_by == "drift":
            return drift.answered(work, engine, self._first, answers, asked, self._done, self.total)
        return writing.answered(answers, asked, self._done, self.total)

    def _of_harness(self, model: ResolvedModel, asked: Questions) -> list[AnsweredItem]:
        folder = self._folder / f"lm_eval-{len(self.results)}"
        rows = harness.answered(
            self._run.lm_eval_python,
            Path(self._run.lm_eval_tasks),
            model,
            asked,
            self._run.spec.seed,
            folder,
            self._stopping,
        )
        self._report(self._done + 1, self.total, {})
        return rows

    def _of_benchmark(self, model: ResolvedModel, asked: Questions) -> list[AnsweredItem]:
        folder = self._folder / f"benchmark-{self._round}-{len(self.results)}"
        program, seed = self._program(asked), self._run.spec.seed
        rows = benchmark.answered(program, model, asked, seed, folder, self._stopping)
        self._report(self._done + 1, self.total, {})
        return rows

    def _program(self, asked: Questions) -> list[str]:
        return self._run.programs[asked.suite.benchmark.program] if asked.suite.benchmark else []

    @property
    def _first(self) -> ResolvedModel:
        return next(iter(self._run.models.values()))

    def _identity(self, asked: Questions, rows: Sequence[AnsweredItem]) -> str:
        """Only what was measured on equal questions is compared: distances from different models are not."""
        if asked.suite.scored_by == lm_eval.SCORED_BY:
            return harness.identity(rows)
        if asked.suite.benchmark:
            return benchmark.identity(self._program(asked), asked.suite.name, rows)
        if asked.suite.scored_by != "drift":
            return asked.identity
        from jobs.generation.engines.loop import identity

        return digest([asked.identity, identity(self._first)])

    def _work(self, model: ResolvedModel) -> Work:
        return Work(
            folder=self._folder,
            sources=[],
            seed=self._run.spec.seed,
            report=self._report,
            stopping=self._stopping,
            models={"model": model, **({"judge": self._run.judge} if self._run.judge else {})},
            services=Path(self._run.services) if self._run.services else None,
            answers=Path(self._run.answers),
        )


def by_base(models: Sequence[ResolvedModel]) -> list[ResolvedModel]:
    """Those on one base one after the other, so that it is loaded once; else in their order."""
    bases = list(dict.fromkeys(model.path for model in models))
    return sorted(models, key=lambda model: bases.index(model.path))


def told_tools(suite: Suite) -> str:
    """Definitions that the prompts told of, as the column ``tools`` of a record holds them; empty: none."""
    return ENVIRONMENTS[suite.environment].definitions if suite.environment and suite.tools_in_prompt else ""


def mean(values: Sequence[float]) -> float | None:
    """Over the values that are numbers; None if none is."""
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else None


def figures(rows: Sequence[AnsweredItem]) -> dict[str, Any]:
    """What a line of the report says besides the value."""
    return {
        "items": len(rows),
        "without_value": sum(not math.isfinite(row.value) for row in rows),
        "truncated": sum(row.truncated for row in rows),
        "unreadable": sum(not row.readable for row in rows),
        "tokens": mean([row.tokens for row in rows]),
    }
