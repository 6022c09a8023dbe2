r"""Knowledge distillation (Agarwal et al. 2024, GKD, arXiv:2306.13649): a student learns a teacher's next token.

    M = beta * teacher + (1 - beta) * student
    loss = mean over answer tokens of  beta * KL(teacher || M) + (1 - beta) * KL(student || M)

Both are distributions over the whole vocabulary, after the same text. At the ends of ``beta`` it is the KL itself:
0 forward, KL(teacher || student), covers all that the teacher might say; 1 reverse, KL(student || teacher), keeps to
what it would say most. Who writes the text is ``mode``: ``on_policy`` the student, so that it is corrected where its
own words lead; ``off_policy`` the teacher; ``data`` nobody, the dataset's answers are read. ``answers`` learns the
tokens of the teacher's answers alone, with SFT's loss (Kim & Rush 2016, arXiv:1606.07947).

Rows of a replay dataset are learnt as SFT learns them, whatever the mode: what the student could do and the teacher
is not asked about, or does otherwise, is kept.

Watch: the agreement, how often both would say the same next; the divergence falls with it. Written tokens: answers
that grow to the limit and do not end are noise that the teacher cannot mend.
What goes wrong: a student that cannot answer yet writes noise, after which a teacher knows nothing either: fine-tune
it on some hundred answers first; a rate at which it forgets what the prompts do not ask for; reverse KL on a student
that never says what is to be learnt, since only what it says is corrected.

    python -m jobs.training.distillation --model static/models/tiny-base --role teacher=static/models/tiny-chat \
        --data static/samples/tiny-sft-chat.jsonl --out /tmp/distillation

spec -> student and teacher -> data -> answers before -> write, compare, step -> answers after -> save
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import TrainingArguments

from jobs.generation.decoding import left_padded
from jobs.generation.models import Opened
from jobs.training import alone
from jobs.training.course import Course
from jobs.training.data import IGNORED, Count, Prepared, prompts, sequences, split
from jobs.training.loading import load_frozen, load_model, needs_checkpointing, with_adapter
from jobs.training.loop import StepGivenUp, Values, rows_of_step
from jobs.training.writing import opened, written
from studio_core.data.chat_format import ChatFormat
from studio_core.data.shapes import Shape
from studio_core.generation.sampling import Sampling
from studio_core.methods.distillation import DistillationOptions
from studio_core.runs.spec import RunSpec

_LOOKS = 4
"""Parts of a run at whose ends written answers are shown, as often as the fixed prompts are answered."""
_SHOWN = 2
"""Answers that are shown each time: the page has the fixed prompts besides."""


def rows(run: RunSpec, options: DistillationOptions, chat: ChatFormat) -> Prepared:
    """Columns ``prompt``, up to where an answer begins, and the record as SFT has it: ``input_ids`` and ``labels``."""
    count, own = Count(), options.mode == "data"
    # Plain text is there to be replayed only, as it stands: it has no prompt.
    asked = repeat([]) if run.dataset.shape == Shape.TEXT else prompts(run, chat)
    for (_, [made], cut), prompt in zip(sequences(run, options, chat), asked, strict=False):
        count.cut += cut and own
        labels = [token if learnt else IGNORED for token, learnt in zip(made.ids, made.trained, strict=True)]
        # Nothing stands before a plain text's first token by which it could be foretold.
        labels = [IGNORED, *labels[1 : options.max_length]]
        row = {"prompt": prompt, "input_ids": made.ids[: options.max_length], "labels": labels}
        # Where an answer is written, the prompt must leave room for it.
        room = own or len(prompt) < options.max_length
        count.keep(row, room and any(label != IGNORED for label in labels))
    return split(run, options, count, lambda row: len(row["input_ids"]))


@dataclass(frozen=True)
class Written:
    """A text that is learnt from: its tokens, and which of them an answer consists of."""

    ids: list[int]
    answer: list[bool]
    ended: bool = True
    """Whether its writer ended it, and not the limit."""
    replayed: bool = False
    """Whether its own tokens are learnt, and no teacher is asked."""


class Distillation:
    """A student and its teacher, and what passes between them in one step."""

    def __init__(
        self,
        course: Course[DistillationOptions],
        student: Any,
        teacher: Any,
        data: Prepared,
        total_steps: int,
    ) -> None:
        self.course, self.options, self.data, self.total_steps = course, course.options, data, total_steps
        self.student, self.teacher = opened(course, student), opened(course, teacher)
        settings = TrainingArguments(**course.arguments(data))
        self.optimiser, self.schedule = course.optimizer(student, settings, total_steps)

    def step(self, number: int) -> Values:
        """Write, compare, and move the student's weights once."""
        model, options = self.student.base.model, self.options
        model.train()
        batches = self.batches_of_step(number)
        self.show(batches[0], number)
        texts = [text for batch in batches for text in batch]
        tokens = answer_tokens(texts)
        sums: defaultdict[str, float] = defaultdict(float)
        for batch in batches:
            with self.course.machine.autocast():
                losses, watched = self.losses(batch)
            # Every answer token of the step weighs the same, however rows fall into batches.
            (losses.sum() / tokens).backward()
            for name, value in watched.items():
                sums[name] += value
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), options.max_grad_norm or math.inf)
        rate = self.schedule.get_last_lr()[0]
        self.optimiser.step()
        self.schedule.step()
        self.optimiser.zero_grad()
        return {
            **means(texts, sums),
            "grad_norm": norm.item(),
            "learning_rate": rate,
            "tokens": float(sum(len(text.ids) for text in texts)),
        }

    @torch.no_grad()
    def evaluate(self) -> Values:
        """The same of the held-out rows, always with the same random numbers."""
        if self.data.held_out is None:
            return {}
        self.student.base.model.eval()
        loss = agreed = tokens = 0.0
        try:
            for batch in self.batches(self.data.held_out, [*range(len(self.data.held_out))], 0):
                with self.course.machine.autocast():
                    losses, watched = self.losses(batch)
                loss, tokens = loss + watched["loss"], tokens + len(losses)
                agreed += watched["agreement"]
        except StepGivenUp:  # The loop hears of it in its next step.
            return {}
        return {"eval_loss": loss / tokens, "eval_agreement": agreed / tokens}

    def batches_of_step(self, number: int) -> list[list[Written]]:
        """The texts of a step in batches, of which those to replay are the last."""
        options, seed = self.options, self.course.run.spec.seed
        chosen = rows_of_step(number, len(self.data.train), options.effective_batch, seed)
        # In the data they stand behind all others.
        first_replayed = len(self.data.train) - self.data.replayed
        taught = [row for row in chosen if row < first_replayed]
        replayed = [row for row in chosen if row >= first_replayed]
        return [*self.batches(self.data.train, taught, number), *self.replayed(replayed)]

    def batches(self, part: Dataset, numbers: list[int], step: int) -> Iterator[list[Written]]:
        """The texts of those rows, as many together as fit."""
        size = self.options.batch_size
        for start in range(0, len(numbers), size):
            with self.course.machine.autocast():
                yield self.texts(part.select(numbers[start : start + size]).to_list(), step, start)

    def replayed(self, numbers: list[int]) -> Iterator[list[Written]]:
        """The same of rows that are replayed: nobody writes there."""
        size = self.options.batch_size
        for start in range(0, len(numbers), size):
            rows = self.data.train.select(numbers[start : start + size])
            yield [replace(read(row), replayed=True) for row in rows.to_list()]

    def texts(self, rows: list[dict[str, Any]], step: int, first: int = 0) -> list[Written]:
        """The texts of some rows: read, or written after their prompts. Of the step's rows the first has that place.

        What is drawn depends on the run's seed, the step and the place only: a resumed run need not remember it.
        Raises ``StepGivenUp`` if the run is asked to end meanwhile.
        """
        if self.options.mode == "data":
            return [*map(read, rows)]
        writer = self.student if self.options.mode == "on_policy" else self.teacher
        sampling = Sampling(
            temperature=self.options.temperature, top_p=1.0, max_tokens=self.options.max_new_tokens
        )
        lines = written(self.course, writer, [row["prompt"] for row in rows], sampling, step, first)
        return [
            Written(
                line.prompt + line.tokens,
                [False] * len(line.prompt) + [True] * len(line.tokens),
                line.reason == "stop",
            )
            for line in lines
        ]

    def show(self, texts: list[Written], step: int) -> None:
        """Now and then tell what was written, for the answers on the run's page, behind those to the fixed prompts."""
        due = {1, *(self.total_steps * part // _LOOKS for part in range(1, _LOOKS))}
        if self.options.mode == "data" or texts[0].replayed or step not in due:
            return
        first = len(self.course.run.prompts) + step * _SHOWN
        for index, text in enumerate(texts[:_SHOWN], first):
            begin = text.answer.index(True)
            prompt, answer = (
                self.course.tokenizer.decode(part, skip_special_tokens=True).strip()
                for part in (text.ids[:begin], text.ids[begin:])
            )
            self.course.events.write(
                "sample", step=step, when="during", index=index, prompt=prompt, answer=answer
            )

    def losses(self, texts: list[Written]) -> tuple[torch.Tensor, dict[str, float]]:
        """The loss of each answer token of some texts, and sums over these tokens of what is watched.

        Of the texts none or all are replayed.
        """
        kept = max(len(text.ids) - text.answer.index(True) for text in texts)
        answer, _ = left_padded(
            [[int(one) for one in text.answer] for text in texts], self.student.base.device
        )
        ids, _ = left_padded([text.ids for text in texts], self.student.base.device)
        chosen = answer[:, -kept:].bool()
        said = ids[:, -kept:][chosen]
        logits = self._logits(self.student, texts, kept)[chosen]
        if texts[0].replayed or self.options.mode == "answers":
            losses = torch.nn.functional.cross_entropy(logits, said, reduction="none")
            best = said
        else:
            with torch.no_grad():
                taught = self._logits(self.teacher, texts, kept)[chosen]
            # Embeddings may be padded beyond the tokens that there are, of large models further than of small ones.
            width, heat = min(logits.shape[-1], taught.shape[-1]), self.options.temperature
            losses = divergence(logits[:, :width] / heat, taught[:, :width] / heat, self.options.beta)
            best = taught.argmax(-1)
        if texts[0].replayed:
            return losses, {"replay_loss": losses.sum().item()}
        with torch.no_grad():
            likely = logits.log_softmax(-1)
            watched = {
                "loss": losses.sum().item(),
                "agreement": (logits.argmax(-1) == best).sum().item(),
                "entropy": -(likely.exp() * likely).sum().item(),
            }
        return losses, watched

    def _logits(self, model: Opened, texts: list[Written], kept: int) -> torch.Tensor:
        """Logits of the last ``kept`` tokens of each text, ``(texts, kept, vocabulary)``, in full precision."""
        ids, mask = left_padded([text.ids for text in texts], model.base.device)
        output = model.base.forward(
            [None] * len(texts),
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
            use_cache=False,
            # What a token is predicted by stands before it.
            logits_to_keep=kept + 1,
        )
        logits: torch.Tensor = output.logits[:, -kept - 1 : -1].float()
        return logits


def read(row: dict[str, Any]) -> Written:
    """The text of a record with its own answers."""
    return Written(row["input_ids"], [label != IGNORED for label in row["labels"]])


def answer_tokens(texts: list[Written]) -> int:
    return sum(sum(text.answer) for text in texts)


def means(texts: list[Written], sums: Mapping[str, float]) -> dict[str, float]:
    """What is watched, for each token of its kind; a step may have rows of one kind only."""
    taught, replayed = ([text for text in texts if text.replayed is kind] for kind in (False, True))
    values = {}
    if taught:
        tokens = answer_tokens(taught)
        values = {name: sums[name] / tokens for name in ("loss", "agreement", "entropy")}
        values["written_tokens"] = tokens / len(taught)
        values["ended"] = sum(text.ended for text in taught) / len(taught)
    if replayed:
        values["replay_loss"] = sums["replay_loss"] / answer_tokens(replayed)
    return values


def divergence(student: torch.Tensor, teacher: torch.Tensor, beta: float) -> torch.Tensor:
    """The generalised Jensen-Shannon divergence of logits ``(tokens, vocabulary)``: nats for each token.

    Equation 1 of arXiv:2306.13649, with the KL itself at both ends, as TRL has it.
    """
    p, q = teacher.log_softmax(-1), student.log_softmax(-1)
    if beta == 0:
        return _kl(p, q)
    if beta == 1:
        return _kl(q, p)
    middle = torch.logaddexp(p + math.log(beta), q + math.log(1 - beta))
    return beta * _kl(p, middle) + (1 - beta) * _kl(q, middle)


def _kl(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    return (p.exp() * (p - q)).sum(-1)


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, DistillationOptions)
    run, options = course.run, course.options
    model = with_adapter(run, options, load_model(run, course.machine, course.team.sharded))
    teacher = load_frozen(run, run.models["teacher"], course.machine)
    course.events.write("phase", phase="preparing")
    data = course.data(rows)
    total_steps = course.steps(data)
    if twice := needs_checkpointing(run, options, data.train, course.machine):
        model.gradient_checkpointing_enable({"use_reentrant": False})
    both = Distillation(course, model, teacher, data, total_steps)
    parts = {"optimizer": both.optimiser, "schedule": both.schedule}
    loop = course.loop(model, parts, data, total_steps, both.step, both.evaluate, checkpointing=twice)
    course.finish(model, loop.step, loop.total_steps)


if __name__ == "__main__":
    alone.run("distillation", main)
