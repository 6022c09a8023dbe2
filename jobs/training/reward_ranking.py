r"""A reward model from rankings (Luce 1959, Plackett 1975; for reward models Zhu et al. 2023, arXiv:2301.11270).

    loss = - sum over k < K of [ s_k - log sum over j >= k of exp(s_j) ],  s_1 .. s_K the scores, best first

The order of K answers is explained as K - 1 choices: the best of all, then the best of the rest. One ranking is one
row, and all of its answers are in one batch: pairs cut out of it would count the same judgement up to K - 1 times, as
if they were independent. Answers that share a place are compared with those below them, and with each other not at
all: for each of them the others of its place are left out of the sum.

Watch: how often the best answer has the highest score, and the share of pairs within rankings that are in order, on
rankings held out. Chance is 1 in K, and one half.
What goes wrong: rankings by length or by style; graders who rank by haste from the third place on (the loss takes the
order of the worst as seriously as that of the best); long rankings, of which ``answers`` are drawn at random.

    python -m jobs.training.reward_ranking --model static/models/tiny-chat --data RANKED.jsonl --out /tmp/ranks

with lines such as {"prompt": "What is 2 + 3?", "completions": ["5", "Five?", "6"], "ranks": [1, 2, 3]}.

spec -> model with one output -> data -> trainer -> train -> save
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch.nn.functional import one_hot

from jobs.training import alone
from jobs.training.course import Course
from jobs.training.data import Count, Prepared, Row, sequences, split
from jobs.training.scoring import (
    Batch,
    Figures,
    ScorerTrainer,
    begun,
    measured,
    padded_batch,
    spread_of,
    trainer,
    whole,
)
from studio_core.data.chat_format import ChatFormat
from studio_core.methods.reward_ranking import RankingOptions
from studio_core.runs.spec import RunSpec
from studio_core.statistics.winrate import wilson


def rows(run: RunSpec, options: RankingOptions, chat: ChatFormat) -> Prepared:
    """Columns ``answers``, a list of lists of tokens, each with the prompt, and ``ranks``, one for each.

    Answers that do not fit are left out, and rankings of which less than two places are left. Of longer ones
    ``options.answers`` are drawn.
    """
    count, draw = Count(), random.Random(run.spec.seed)
    for record, answers, cut in sequences(run, options, chat):
        fitting = [place for place, one in enumerate(answers) if len(one.ids) <= options.max_length]
        learnt = len({record["ranks"][place] for place in fitting}) > 1
        kept = _drawn(draw, fitting, record["ranks"], options.answers) if learnt else []
        row = {
            "answers": [answers[place].ids for place in kept],
            "ranks": [record["ranks"][place] for place in kept],
        }
        count.drawn += len(kept) < len(fitting) and learnt
        count.cut += cut and learnt
        count.keep(row, learnt)
    return split(run, options, count, lambda row: sum(map(len, row["answers"])))


def _drawn(draw: random.Random, places: list[int], ranks: list[int], most: int) -> list[int]:
    """So many of these places, and again where all that were drawn share one rank: they would teach nothing."""
    while True:
        kept = sorted(draw.sample(places, min(len(places), most)))
        if len({ranks[place] for place in kept}) > 1:
            return kept


@dataclass
class RankedAnswers:
    """Makes batches of rankings, their answers one below the other: ``ranking`` says of which each is, and ``ranks``
    in which place; (answers of all rankings,)."""

    pad: int

    def __call__(self, rows: list[Row]) -> Batch:
        answers = [ids for row in rows for ids in row["answers"]]
        counts = torch.tensor([len(row["answers"]) for row in rows])
        return {
            **padded_batch(answers, self.pad),
            "ranks": torch.tensor([rank for row in rows for rank in row["ranks"]]),
            "ranking": torch.arange(len(rows)).repeat_interleave(counts),
        }


def plackett_luce(scores: torch.Tensor, ranks: torch.Tensor, ranking: torch.Tensor) -> torch.Tensor:
    """The negative log-likelihood of rankings together, up to ties: (answers,) each -> ().

    Each answer that has others below it is chosen from itself and those; of equal ranks no order is asked for. All
    rankings at once: one after the other they cost a small model a twentieth of its step.
    """
    below = _together(ranking) & (ranks[None, :] > ranks[:, None])
    chosen_from = below | torch.eye(len(ranks), dtype=torch.bool, device=ranks.device)
    choices = torch.where(chosen_from, scores[None, :], -torch.inf).logsumexp(dim=1) - scores
    return choices[below.any(dim=1)].sum()


@torch.no_grad()
def in_order(
    scores: torch.Tensor, ranks: torch.Tensor, ranking: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each ranking the share of pairs in order, and whether one of the best has the highest score, alone:
    (answers,) each -> (rankings,) each."""
    together = _together(ranking)
    better = together & (ranks[:, None] < ranks[None, :])
    above = scores[:, None] > scores[None, :]
    best = ~better.any(dim=0) & (above | ~together).fill_diagonal_(True).all(dim=1)

    of = one_hot(ranking).T.float()
    shares = (of @ (better & above).sum(1).float()) / (of @ better.sum(1).float())
    return shares, of @ best.float()


def _together(ranking: torch.Tensor) -> torch.Tensor:
    """(answers, answers): whether two are of the same ranking."""
    return ranking[:, None] == ranking[None, :]


class RankingTrainer(ScorerTrainer):
    def rows_in(self, batch: Batch) -> int:
        return int(batch["ranking"][-1]) + 1

    def objective(self, scores: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, Figures]:
        places = batch["ranks"], batch["ranking"]
        shares, firsts = in_order(scores, *places)
        figures = {"accuracy": shares.mean(), "best_first": firsts.mean(), **spread_of(scores)}
        return plackett_luce(scores, *places) / self.rows_in(batch), figures


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, RankingOptions)
    model = begun(course)

    course.events.write("phase", phase="preparing")
    data = course.data(rows)
    if data.drawn:
        values = {"rows": data.drawn, "answers": course.options.answers}
        course.events.write("notice", level="warning", key="methods.notice.answers_drawn", values=values)
    training = trainer(course, RankingTrainer, model, data, RankedAnswers(course.tokenizer.pad_token_id))
    course.train(training, data)
    # Counted on the model as it is saved: merging an adapter rounds, and that is what will score.
    scorer = whole(course, training)
    if data.held_out is not None and not course.stop:
        tell_best_first(course, training, scorer, data.held_out)
    course.save(training, scorer)


def tell_best_first(course: Course[RankingOptions], training: Any, scorer: Any, rankings: Dataset) -> None:
    """Say of how many rankings that it never saw the best answer comes first, and what is in order of the rest."""
    firsts: list[float] = []
    shares: list[float] = []
    for some, scores in measured(course, training, scorer, rankings):
        places = RankedAnswers(0)(some)
        right, first = in_order(scores, places["ranks"], places["ranking"])
        shares += right.tolist()
        firsts += first.tolist()
    if len(firsts) < len(rankings):
        return
    low, high = wilson(sum(firsts) / len(firsts), len(firsts))
    chance = sum(row.count(min(row)) / len(row) for row in rankings["ranks"]) / len(rankings)
    values = {
        "right": int(sum(firsts)),
        "rows": len(firsts),
        "low": f"{100 * low:.0f}",
        "high": f"{100 * high:.0f}",
        "chance": f"{100 * chance:.0f}",
        "pairs": f"{100 * sum(shares) / len(shares):.0f}",
    }
    course.events.write("notice", level="info", key="methods.notice.best_first", values=values)


if __name__ == "__main__":
    alone.run("reward-ranking", main)
