"""Rewards tried before a training: on some of its records, and on what its model answers to them now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from studio_core import rewards
from studio_core.base.errors import StudioError
from studio_core.base.studio import Studio
from studio_core.data import store, versions
from studio_core.data.shapes import Message, Record
from studio_core.generation import judgements, services, serving
from studio_core.generation.sampling import Sampling, greedy
from studio_core.methods import METHODS
from studio_core.methods.rollouts import JUDGE, RolloutOptions, rewards_of
from studio_core.models import registry
from studio_core.rewards import choices as reward_choices
from studio_core.rewards.base import Answered, Scores, at_once, held
from studio_core.rewards.equality import EqualityOptions, columns
from studio_core.rewards.judge import JudgeOptions, RankingOptions
from studio_core.rewards.trial import Trial, of_answers
from studio_core.runs.spec import RewardChoice, TrainSpec
from studio_core.training.planning import base_of, options_of

RECORDS = 5
"""As many as one reads before a start; a model on a CPU answers them in seconds."""


@dataclass(frozen=True)
class Part:
    """What one reward says of an answer."""

    choice: RewardChoice
    trial: Trial


@dataclass(frozen=True)
class Example:
    """An answer to a record's prompt, and what it is worth."""

    row: int
    """From 0, in the dataset."""
    prompt: str
    answer: str
    parts: tuple[Part, ...] = ()
    error: StudioError | None = None
    """Why there is no answer."""

    @property
    def reward(self) -> float | None:
        """The weighted sum of those that have a say, as in training; None if none has."""
        said = [part.choice.weight * part.trial.value for part in self.parts if part.trial.value is not None]
        return sum(said) if said else None


def sample(studio: Studio, spec: TrainSpec) -> list[tuple[int, Record]]:
    """Records of the dataset with their rows, at equal distances: files list what is alike together.

    Raises ``NotFound`` if there is no such dataset.
    """
    dataset = versions.get(studio, spec.dataset)
    count = min(RECORDS, dataset.rows)
    rows = [place * dataset.rows // count for place in range(count)]
    return [(row, store.records(studio, dataset, row, 1)[0]) for row in rows]


def references(studio: Studio, spec: TrainSpec, records: Sequence[tuple[int, Record]]) -> list[Example]:
    """The records' own answers, of those that have one: a reward that gives them little is the wrong one."""
    own = [held(record, columns(EqualityOptions())) for _, record in records]
    there = [(asked, answer) for asked, answer in zip(records, own, strict=True) if answer is not None]
    return _scored(studio, spec, [asked for asked, _ in there], [answer for _, answer in there])


def answers(studio: Studio, spec: TrainSpec, records: Sequence[tuple[int, Record]]) -> list[Example]:
    """What the model answers to the records, drawn as in the training. Takes as long as writing them takes."""
    _checked(spec)
    model = registry.resolve(studio, spec.model)
    options = options_of(spec, METHODS[spec.method], base_of(studio, spec.model).parameters)
    assert isinstance(options, RolloutOptions)
    sampling = Sampling(
        temperature=options.temperature, top_p=1.0, max_tokens=options.max_new_tokens, seed=spec.seed
    )
    texts = [""] * len(records)
    errors: dict[int, StudioError] = {}
    questions = [
        serving.Question(
            model, [{"role": turn["role"], "content": turn["content"]} for turn in prompt_of(record)]
        )
        for _, record in records
    ]
    for event in serving.generate(studio, questions, sampling):
        side = event["side"]
        texts[side] += event.get("text", "")
        if "error" in event:
            errors[side] = StudioError(event.get("key") or "chat.server_refused", **event.get("values", {}))
    examples = _scored(studio, spec, records, texts)
    return [
        replace(example, parts=(), error=errors[side]) if side in errors else example
        for side, example in enumerate(examples)
    ]


def prompt_of(record: Record) -> list[Message]:
    """The turns that are to be answered."""
    messages: list[Message] = record["messages"] if "messages" in record else record["prompt"]
    return messages[:-1] if messages[-1]["role"] == "assistant" else messages


def _text(messages: Sequence[Message]) -> str:
    return messages[-1]["content"]


def _checked(spec: TrainSpec) -> list[RewardChoice]:
    """The rewards of the training; raises ``BadInput`` if one is unknown or does not take its options."""
    return [reward_choices.checked(choice) for choice in rewards_of(spec)]


def _scored(
    studio: Studio,
    spec: TrainSpec,
    records: Sequence[tuple[int, Record]],
    texts: Sequence[str],
) -> list[Example]:
    choices, judge = _checked(spec), spec.models.get(JUDGE.name, "")
    answered = [
        (_text(prompt_of(record)), answer, {**record, "prompt": prompt_of(record)})
        for (_, record), answer in zip(records, texts, strict=True)
    ]
    trials = [_trials(studio, choice, answered, judge) for choice in choices]
    return [
        Example(
            row,
            prompt,
            answer,
            tuple(Part(choice, of[place]) for choice, of in zip(choices, trials, strict=True)),
        )
        for place, ((row, _), (prompt, answer, _)) in enumerate(zip(records, answered, strict=True))
    ]


def judged_by(studio: Studio, choice: RewardChoice, model: str = "") -> Scores | None:
    """What gives the values of a reward that asks a judge: a service, or this model; None where none is asked. Raises
    ``NotFound`` if there is none of that name."""
    options = rewards.named(choice.name).checked(choice.options)
    if rewards.service_of(choice):
        judge = judgements.of_service(studio.settings.home / services.FILE, options)
    elif model and rewards.named(choice.name).role == JUDGE.name:
        judge = _of_model(studio, model, options)
    else:
        return None
    return at_once(lambda answered: judgements.parts(judge, options, answered, seed=0)[""])


def _of_model(studio: Studio, name: str, options: JudgeOptions | RankingOptions) -> judgements.Replies:
    """A model of the studio, asked by the chat worker; where it gives no reply, why."""
    model = registry.resolve(studio, name)

    def replies(asked: Sequence[list[Message]]) -> list[str | Exception]:
        said: list[str | Exception] = [""] * len(asked)
        questions = [
            serving.Question(model, [{"role": turn["role"], "content": turn["content"]} for turn in messages])
            for messages in asked
        ]
        for event in serving.generate(studio, questions, greedy(options.judge_tokens)) if asked else ():
            side, before = event["side"], said[event["side"]]
            if "error" in event:
                said[side] = StudioError(event.get("key") or "chat.server_refused", **event.get("values", {}))
            elif isinstance(before, str):
                said[side] = before + event.get("text", "")
        return said

    return replies


def _trials(studio: Studio, choice: RewardChoice, answered: Sequence[Answered], judge: str) -> list[Trial]:
    """One that cannot be asked here has no say of any, and says why."""
    try:
        return of_answers(choice, answered, judged_by(studio, choice, judge))
    except StudioError as error:
        return [Trial(prompt, answer, None, error) for prompt, answer, _ in answered]
