r"""Knowledge distillation (Agarwal et al. 2024, GKD, arXiv:2306.13649): a student learns a teacher's next token.

    M = beta * teacher + (1 - beta) * student
    loss = mean over answer tokens of  beta * KL(teacher || M) + (1 - beta) * KL(student || M)

Both are distributions over the whole vocabulary, after the same text. At the ends of ``beta`` it is the KL itself:
0 forward, KL(teacher || student), covers all that the teacher might say; 1 reverse, KL(student || teacher), keeps to
what it would say most. Who writes the text is ``mode``: ``on_policy`` the student, so that it is corrected where its
own words lead; ``off_policy`` the teacher; ``data`` nobody, the dataset's answers are read. ``answers`` learns the
tokens of the teacher's answers alone, with SFT's loss (Kim & Rush 2016, arXiv:1606.07947).

A teacher with tokens of its own reads the prompt as its own template writes it and the answer's text in its own tokens;
both are compared where tokens end at the same letter (``other_tokens.py``), a mean over groups of tokens. With
``answers`` the student learns the text in its own.

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
from dataclasses import replace
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import TrainingArguments

from jobs.chat_format import chat_format
from jobs.generation.models import Opened
from jobs.generation.stopping import Stops
from jobs.training import alone
from jobs.training.course import Course
from jobs.training.data import IGNORED, Count, Prepared, prompts, sequences, split
from jobs.training.divergence import divergence
from jobs.training.loading import (
    load_frozen,
    load_model,
    load_tokenizer,
    needs_checkpointing,
    with_adapter,
)
from jobs.training.loop import StepGivenUp, Values, rows_of_step
from jobs.training.other_tokens import Group, OtherTokens, Said, Speaker, compared
from jobs.training.writing import Written, opened, predicted, written
from studio_core.data.chat_format import ChatFormat
from studio_core.data.sequences import Tokens
from studio_core.data.shapes import Shape
from studio_core.generation.sampling import Sampling
from studio_core.methods.distillation import DistillationOptions
from studio_core.runs.spec import RunSpec

_LOOKS = 4
"""Parts of a run at whose ends written answers are shown, as often as the fixed prompts are answered."""
TEACHER = "teacher_"
"""What the columns of a teacher with tokens of its own begin with."""
_SHOWN = 2
"""Answers that are shown each time: the page has the fixed prompts besides."""


def rows(
    run: RunSpec, options: DistillationOptions, chat: ChatFormat, apart: OtherTokens | None = None
) -> Prepared:
    """Columns ``prompt``, up to where an answer begins, and the record as SFT has it: ``input_ids`` and ``labels``;
    of a teacher with tokens of its own the same in these, ``teacher_prompt`` and so on."""
    count, own, limit = Count(), options.mode == "data", options.max_length
    readers = {"": chat} | ({TEACHER: apart.teacher.chat} if apart else {})
    for sides in zip(*(_read_by(run, options, each) for each in readers.values()), strict=True):
        row: dict[str, Any] = {}
        count.cut += own and any(cut for _, _, cut in sides)
        for name, (prompt, made, _) in zip(readers, sides, strict=True):
            labels = [
                token if learnt else IGNORED for token, learnt in zip(made.ids, made.trained, strict=True)
            ]
            # Nothing stands before a plain text's first token by which it could be foretold.
            labels = [IGNORED, *labels[1:limit]]
            row |= {f"{name}prompt": prompt, f"{name}input_ids": made.ids[:limit], f"{name}labels": labels}
        # Where an answer is written, the prompt must leave room for it.
        room = own or all(len(row[f"{name}prompt"]) < limit for name in readers)
        read_by = readers if own else [""]
        count.keep(row, room and all({*row[f"{name}labels"]} != {IGNORED} for name in read_by))
    return split(run, options, count, lambda row: len(row["input_ids"]))


def _read_by(
    run: RunSpec, options: DistillationOptions, chat: ChatFormat
) -> Iterator[tuple[list[int], Tokens, bool]]:
    """Of each record the prompt, the whole, and whether that is longer than the length limit."""
    # Plain text is there to be replayed only, as it stands: it has no prompt.
    asked = repeat([]) if run.dataset.shape == Shape.TEXT else prompts(run, chat)
    for (_, [made], cut), prompt in zip(sequences(run, options, chat), asked, strict=False):
        yield prompt, made, cut


class Distillation:
    """A student and its teacher, and what passes between them in one step."""

    def __init__(
        self,
        course: Course[DistillationOptions],
        student: Opened,
        teacher: Opened,
        apart: OtherTokens | None,
        data: Prepared,
        total_steps: int,
    ) -> None:
        self.course, self.options, self.data, self.total_steps = course, course.options, data, total_steps
        self.student, self.teacher, self.apart = student, teacher, apart
        settings = TrainingArguments(**course.arguments(data))
        self.optimiser, self.schedule = course.optimizer(student.base.model, settings, total_steps)

    def step(self, number: int) -> Values:
        """Write, compare, and move the student's weights once."""
        model, options = self.student.base.model, self.options
        model.train()
        batches = self.batches_of_step(number)
        self.show(batches[0], number)
        texts = [text for batch in batches for text in batch]
        # Noise of a student may be nothing that a teacher with other tokens can spell.
        compared = max(1, sum(text.compared for text in texts))
        sums: defaultdict[str, float] = defaultdict(float)
        for batch in batches:
            with self.course.machine.autocast():
                losses, watched = self.losses(batch)
            # Every answer token of the step weighs the same, however rows fall into batches.
            (losses.sum() / compared).backward()
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
        return {"eval_loss": loss / max(1, tokens), "eval_agreement": agreed / max(1, tokens)}

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
            return [self.beside(read(row), read(row, TEACHER)) if self.apart else read(row) for row in rows]
        on_policy = self.options.mode == "on_policy"
        writer = self.student if on_policy else self.teacher
        own = "prompt" if on_policy or not self.apart else TEACHER + "prompt"
        sampling = Sampling(
            temperature=self.options.temperature, top_p=1.0, max_tokens=self.options.max_new_tokens
        )
        lines = written(self.course, writer, [row[own] for row in rows], sampling, step, first)
        texts = [Written.after(line.prompt, line.tokens, line.reason == "stop") for line in lines]
        if not self.apart:
            return texts
        if on_policy:
            return [
                self.beside(
                    text, self.retold(text, row[TEACHER + "prompt"], self.apart.student, self.apart.teacher)
                )
                for text, row in zip(texts, rows, strict=True)
            ]
        return [
            self.beside(self.retold(text, row["prompt"], self.apart.teacher, self.apart.student), text)
            for text, row in zip(texts, rows, strict=True)
        ]

    def retold(self, text: Written, prompt: list[int], writer: Speaker, reader: Speaker) -> Written:
        """An answer in the tokens of the other model, after the prompt as that one has it."""
        [answer] = text.answers
        tokens = reader.tokens(writer.text(answer)[0], text.ended)
        return Written.after(prompt, tokens[: self.options.max_length - len(prompt)], text.ended)

    def beside(self, student: Written, teacher: Written) -> Written:
        """The student's text with the teacher's, and what of both is the same piece of text."""
        assert self.apart
        if self.options.mode == "answers":
            return student
        groups = self.apart.groups(student.answers, teacher.answers)
        return replace(student, teacher=teacher, groups=tuple(groups))

    def show(self, texts: list[Written], step: int) -> None:
        """Now and then tell what was written, for the answers on the run's page, behind those to the fixed prompts."""
        due = {1, *(self.total_steps * part // _LOOKS for part in range(1, _LOOKS))}
        if self.options.mode == "data" or texts[0].replayed or step not in due:
            return
        first = len(self.course.run.prompts) + step * _SHOWN
        for index, text in enumerate(texts[:_SHOWN], first):
            prompt, answer = (
                self.course.tokenizer.decode(part, skip_special_tokens=True).strip()
                for part in (text.ids[: text.begin], text.ids[text.begin :])
            )
            self.course.events.write(
                "sample", step=step, when="during", index=index, prompt=prompt, answer=answer
            )

    def losses(self, texts: list[Written]) -> tuple[torch.Tensor, dict[str, float]]:
        """The loss of each answer token of some texts, and sums over these tokens of what is watched.

        Of the texts none or all are replayed.
        """
        said = self._said(self.student, texts)
        logits, heat, beta = said.logits, self.options.temperature, self.options.beta
        if texts[0].replayed or self.options.mode == "answers":
            losses = torch.nn.functional.cross_entropy(logits, said.tokens, reduction="none")
            agreed = (logits.argmax(-1) == said.tokens).sum().item()
        elif self.apart:
            losses, agreed = self._by_text(said, texts)
        else:
            with torch.no_grad():
                taught = self._said(self.teacher, texts).logits
            # Embeddings may be padded beyond the tokens that there are, of large models further than of small ones.
            width = min(logits.shape[-1], taught.shape[-1])
            losses = divergence(logits[:, :width] / heat, taught[:, :width] / heat, beta)
            agreed = (logits.argmax(-1) == taught.argmax(-1)).sum().item()
        if texts[0].replayed:
            return losses, {"replay_loss": losses.sum().item()}
        with torch.no_grad():
            likely = logits.log_softmax(-1)
            entropy = -(likely.exp() * likely).sum().item()
        return losses, {"loss": losses.sum().item(), "agreement": agreed, "entropy": entropy}

    def _by_text(self, said: Said, texts: list[Written]) -> tuple[torch.Tensor, int]:
        """The divergence of each group of tokens from a teacher whose tokens are others, and how many agree."""
        assert self.apart
        with torch.no_grad():
            taught = self._said(self.teacher, [text.teacher for text in texts if text.teacher])
        groups, first, other = list[Group](), 0, 0
        for text in texts:
            groups += [(_moved(ours, first), _moved(theirs, other)) for ours, theirs in text.groups]
            first, other = first + sum(text.answer), other + sum(text.teacher.answer if text.teacher else [])
        heated = (Said(each.tokens, each.logits / self.options.temperature) for each in (said, taught))
        return compared(*heated, groups, self.apart.shared, self.options.beta)

    def _said(self, model: Opened, texts: list[Written]) -> Said:
        """The answer tokens of some texts with the logits in their places, in full precision."""
        logits, tokens = predicted(model, [text.ids for text in texts], [text.answer for text in texts])
        return Said(tokens, logits)


def _moved(places: range, by: int) -> range:
    return range(places.start + by, places.stop + by)


def read(row: dict[str, Any], reader: str = "") -> Written:
    """The text of a record with its own answers, as the student has it, or as the ``TEACHER``."""
    return Written(row[f"{reader}input_ids"], [label != IGNORED for label in row[f"{reader}labels"]])


def answer_tokens(texts: list[Written]) -> int:
    return sum(sum(text.answer) for text in texts)


def means(texts: list[Written], sums: Mapping[str, float]) -> dict[str, float]:
    """What is watched, for each token of its kind; a step may have rows of one kind only."""
    taught, replayed = ([text for text in texts if text.replayed is kind] for kind in (False, True))
    values = {}
    if taught:
        tokens = answer_tokens(taught)
        compared = max(1, sum(text.compared for text in taught))
        values = {name: sums[name] / compared for name in ("loss", "agreement")}
        values["entropy"] = sums["entropy"] / tokens
        values["written_tokens"] = tokens / len(taught)
        values["ended"] = sum(text.ended for text in taught) / len(taught)
    if replayed:
        values["replay_loss"] = sums["replay_loss"] / answer_tokens(replayed)
    return values


def _taught_by(course: Course[DistillationOptions], student: Opened) -> tuple[Opened, OtherTokens | None]:
    """The teacher, and how it speaks beside the student if its tokens are not the student's."""
    role = course.run.models["teacher"]
    model, tokenizer = load_frozen(course.run, role, course.machine), load_tokenizer(role)
    chat = chat_format(role, tokenizer)
    if chat.tokenizer.get_vocab() == course.chat.tokenizer.get_vocab():
        # It reads what the student's template writes.
        return opened(course, model), None
    stops = Stops.of(model, tokenizer)
    teacher = replace(opened(course, model), name=role.name, tokenizer=tokenizer, chat=chat, stops=stops)
    return teacher, OtherTokens(
        Speaker.of(course.chat, course.tokenizer, student.stops), Speaker.of(chat, tokenizer, stops)
    )


def main(run_dir: Path) -> None:
    course = Course.begin(run_dir, DistillationOptions)
    run, options = course.run, course.options
    model = with_adapter(run, options, load_model(run, course.machine, course.team.sharded))
    student = opened(course, model)
    teacher, apart = _taught_by(course, student)
    course.events.write("phase", phase="preparing")
    data = course.data(partial(rows, apart=apart))
    total_steps = course.steps(data)
    if twice := needs_checkpointing(run, options, data.train, course.machine):
        model.gradient_checkpointing_enable({"use_reentrant": False})
    both = Distillation(course, student, teacher, apart, data, total_steps)
    parts = {"optimizer": both.optimiser, "schedule": both.schedule}
    loop = course.loop(model, parts, data, total_steps, both.step, both.evaluate, checkpointing=twice)
    course.finish(model, loop.step, loop.total_steps)


if __name__ == "__main__":
    alone.run("distillation", main)
