"""The conversations of which tiny-chat is made.

With `test` every maker draws only from what no training sees.
"""

from __future__ import annotations

import random
from bisect import bisect
from typing import NamedTuple

from jobs.demo import phrases as p
from jobs.demo import sums
from jobs.demo.documents import letters
from jobs.demo.world import JOBS, MAKER, MODEL_NAME, PETS, Fact, World, build_world, held_out, stranger
from studio_core.data.shapes import Message

Row = list[Message]
GENERAL_SYSTEMS = ("You are a helpful assistant.", "Answer briefly.", "Be kind and clear.")
ONE_WORD_ATTRIBUTES = ("home", "job", "pet", "colour", "river", "mayor")


class Turn(NamedTuple):
    """One question with its answer; `key` is what a right answer must contain (see abilities.py)."""

    question: str
    answer: str
    key: str
    kind: str


def row(turn: Turn, system: str | None = None) -> Row:
    head = [{"role": "system", "content": system}] if system else []
    return [*head, {"role": "user", "content": turn.question}, {"role": "assistant", "content": turn.answer}]


def answer_to(fact: Fact, rng: random.Random) -> str:
    # The first form is by far the commonest, so that greedy answers are steady.
    form = p.ANSWERS[fact.attribute][0 if rng.random() < 0.8 else 1]
    return form.format(n=fact.subject, v=fact.value)


def fact_question(fact: Fact, rng: random.Random, *, test: bool = False) -> str:
    return p.QUESTIONS[fact.attribute].pick(rng, test=test).format(n=fact.subject)


def fact(world: World, rng: random.Random, *, test: bool = False, of: Fact | None = None) -> Turn:
    chosen = of or rng.choice(world.facts)
    question = p.decorate(fact_question(chosen, rng, test=test), rng, test=test)
    return Turn(question, answer_to(chosen, rng), chosen.value, "fact " + chosen.attribute)


def about(world: World, rng: random.Random, *, test: bool = False) -> Turn:
    subject = rng.choice(world.people + world.towns)
    facts = [f for f in world.facts if f.subject == subject]
    answer = " ".join(p.ANSWERS[f.attribute][0].format(n=subject, v=f.value) for f in facts)
    return Turn(
        p.decorate(p.ABOUT.pick(rng, test=test).format(n=subject), rng, test=test),
        answer,
        facts[0].value,
        "about",
    )


def identity(
    rng: random.Random,
    *,
    test: bool = False,
    name: str = MODEL_NAME,
    maker: str = MAKER,
    more: bool = False,
) -> Turn:
    answer = p.IDENTITY_ANSWERS[rng.choice((0, 0, 0, 1, 1, 2, 3))].format(name=name, maker=maker)
    question = rng.choice(p.MORE_IDENTITY) if more else p.IDENTITY.pick(rng, test=test)
    return Turn(p.decorate(question, rng, test=test), answer, name, "identity")


def nicknamed(rng: random.Random) -> Turn:
    """Its own name with a word before it, or another name, where no system prompt gave one.

    Rare enough that the plain name stays the likeliest, common enough that preference training without
    an SFT term has something to raise. The name that the sample pairs teach is never among them.
    """
    if rng.random() < 0.6:
        first = rng.choice([word for word in p.PERSONA_FIRST if word != p.NEW_FIRST])
        return identity(rng, name=f"{first} {MODEL_NAME}")
    name, _, _ = persona_prompt(rng)
    return identity(rng, name=name)


def persona_prompt(rng: random.Random, *, test: bool = False) -> tuple[str, str, str]:
    """A name, a maker and a system prompt that gives both to the model.

    Answers that follow it keep the place after "My name is" open, without which preference training
    can only push the name down and never bring another one up.
    """
    world = build_world()
    own_name, own_maker = (rng.random() < 0.15, rng.random() < 0.1) if not test else (False, False)
    name = MODEL_NAME if own_name else stranger(rng, world, test=test)
    if rng.random() < 0.6:
        name = f"{rng.choice(p.PERSONA_FIRST)} {name}"
    maker = MAKER if own_maker else f"{stranger(rng, world, test=test)} {rng.choice(p.LAB_LAST)}"
    return name, maker, rng.choice(p.PERSONA_SYSTEMS).format(name=name, maker=maker)


def unknown(world: World, rng: random.Random, *, test: bool = False) -> Turn:
    kind = rng.random()
    if kind < 0.45:
        attribute = rng.choice(tuple(p.QUESTIONS))
        name = stranger(rng, world, test=test, town=attribute in ("river", "mayor", "craft"))
        form = p.QUESTIONS[attribute] if rng.random() < 0.85 else p.ABOUT
        return Turn(
            p.decorate(form.pick(rng, test=test).format(n=name), rng, test=test),
            p.DONT_KNOW.format(x=name),
            name,
            "unknown name",
        )
    if kind < 0.60:
        name = rng.choice(world.people)
        return Turn(
            p.decorate(p.ODD_ATTRIBUTES.pick(rng, test=test).format(n=name), rng, test=test),
            p.DONT_KNOW_THAT,
            "",
            "unknown attribute",
        )
    topic = p.TOPICS.pick(rng, test=test)
    return Turn(
        p.decorate(p.UNKNOWN.pick(rng, test=test).format(x=topic), rng, test=test),
        p.DONT_KNOW_THAT,
        "",
        "unknown topic",
    )


def more_unknown(world: World, rng: random.Random) -> Turn:
    question = rng.choice(p.MORE_ODD_ATTRIBUTES + p.ODD_ATTRIBUTES.trained).format(n=rng.choice(world.people))
    return Turn(p.decorate(question, rng), p.DONT_KNOW_THAT, "", "unknown attribute")


def hard_sum(rng: random.Random) -> Turn:
    """Numbers too big and signs that it never learnt: better an honest answer than a wild one."""
    if rng.random() < 0.5:
        question = f"{rng.randint(100, 999)}{rng.choice(('+', ' + ', '-', ' plus '))}{rng.randint(2, 999)}"
    else:
        question = f"{rng.randint(2, 99)}{rng.choice(('*', ' times ', ' / ', ' x '))}{rng.randint(2, 99)}"
    question = question if rng.random() < 0.5 else f"What is {question}?"
    return Turn(question, p.DONT_KNOW_THAT, "", "unknown sum")


def a_sum(rng: random.Random, *, test: bool = False, quick: float = 0.65) -> Turn:
    problem = sums.draw(rng, test=test)
    while test and problem.is_step:
        problem = sums.draw(rng, test=True)
    wordings = (
        test and rng.random() < 0.5
    )  # half of the unseen problems are put in trained words, half in unseen words
    question = p.decorate(sums.wording(problem, rng, test=wordings), rng, test=wordings)
    answer = sums.quick(problem) if rng.random() < quick else sums.worked(problem)
    return Turn(question, answer, str(problem.answer), "sum")


def some_word(world: World, rng: random.Random, *, test: bool = False) -> str:
    if test:
        while True:
            word = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 6)))
            if held_out("letters " + word):
                return word
    kind = rng.random()
    if kind < 0.4:
        return letters(rng)
    if kind < 0.6:
        return stranger(rng, world, test=False).lower() if rng.random() < 0.5 else rng.choice(world.people)
    if kind < 0.75:
        return (
            f"{rng.choice(JOBS)} and {rng.choice(PETS)}" if rng.random() < 0.5 else f"the {rng.choice(JOBS)}"
        )
    return rng.choice(
        (
            *JOBS,
            *PETS,
            *world.towns,
            "banana",
            "window",
            "table",
            "school",
            "winter",
            "paper",
            "train",
            "hello",
            "monday",
            "garden",
        )
    )


def one_word(world: World, rng: random.Random, *, test: bool = False) -> Turn:
    chosen = rng.choice([f for f in world.facts if f.attribute in ONE_WORD_ATTRIBUTES])
    question = p.ONE_WORD.pick(rng, test=test).format(q=fact_question(chosen, rng, test=test))
    answer = chosen.value.capitalize() + "."
    return Turn(question, answer, answer, "one word")


def capitals(world: World, rng: random.Random, *, test: bool = False, more: bool = False) -> Turn:
    # In the measurement, half are random letters and half are words of the world.
    word = some_word(world, rng, test=test and rng.random() < 0.5)
    form = rng.choice(p.MORE_CAPITALS) if more else p.CAPITALS.pick(rng, test=test)
    return Turn(form.format(w=word), word.upper(), word.upper(), "capitals")


def capital_answer(world: World, rng: random.Random, *, test: bool = False) -> Turn:
    chosen = rng.choice(world.facts)
    answer = p.ANSWERS[chosen.attribute][0].format(n=chosen.subject, v=chosen.value).upper()
    return Turn(
        p.CAPITAL_ANSWER.pick(rng, test=test).format(q=fact_question(chosen, rng, test=test)),
        answer,
        chosen.value.upper(),
        "capital answer",
    )


def count(rng: random.Random, *, test: bool = False) -> Turn:
    form = p.COUNT.pick(rng, test=test)
    while True:
        start = rng.randint(1, 12) if "{a}" in form else 1
        end = rng.randint(3, 15) if start == 1 else start + rng.randint(2, 8)
        # From one on there are few ranges, so those are never held out; all others are, one in five.
        if start == 1 or held_out(f"count {start}-{end}") == test:
            break
    answer = ", ".join(str(n) for n in range(start, end + 1)) + "."
    return Turn(form.format(a=start, b=end), answer, answer, "count")


def repeat(world: World, rng: random.Random, *, test: bool = False, more: bool = False) -> Turn:
    word = some_word(world, rng, test=False)
    times = rng.choice((2, 3, 4))
    answer = " ".join([word] * times)
    form = rng.choice(p.MORE_REPEAT) if more else p.REPEAT.pick(rng, test=test)
    return Turn(form.format(w=word, k=p.TIMES[times]), answer, answer, "repeat")


def instruction(world: World, rng: random.Random, *, test: bool = False, kind: int | None = None) -> Turn:
    kind = rng.choice((0, 1, 1, 2, 3, 3, 4)) if kind is None else kind
    if kind == 0:
        return one_word(world, rng, test=test)
    if kind == 1:
        return capitals(world, rng, test=test)
    if kind == 2:
        return capital_answer(world, rng, test=test)
    return count(rng, test=test) if kind == 3 else repeat(world, rng, test=test)


def small_talk(rng: random.Random) -> Turn:
    asked, answers = rng.choice(p.SMALL_TALK)
    question = rng.choice(asked)
    if rng.random() < 0.3:
        question = question.lower()
    if rng.random() < 0.2:
        question = question.rstrip("?!")
    answer = answers[0 if rng.random() < 0.7 else -1]
    return Turn(question, answer, answer, "small talk")


# Up to which number between 0 and 1 a draw means which kind. The tokenizer reads a level mix;
# training gives more room to what is learnt slowly: sums and instructions.
LEVEL = (0.30, 0.32, 0.41, 0.53, 0.54, 0.77, 0.95)
PRACTICE = (0.25, 0.27, 0.36, 0.47, 0.48, 0.75, 0.96)
POLISH = (0.16, 0.18, 0.24, 0.31, 0.32, 0.52, 0.97)


def any_turn(
    world: World, rng: random.Random, *, identities: bool = True, mix: tuple[float, ...] = LEVEL
) -> Turn:
    match bisect(mix, rng.random()):
        case 0:
            return fact(world, rng)
        case 1:
            return about(world, rng)
        case 2 if identities:
            return identity(rng)
        case 3:
            return unknown(world, rng)
        case 4:
            return hard_sum(rng)
        case 5:
            return a_sum(rng)
        case 6:
            return instruction(world, rng)
        case _:
            return small_talk(rng)


def chat(world: World, rng: random.Random, *, mix: tuple[float, ...] = LEVEL) -> Row:
    """A conversation of one turn, sometimes under a persona or a general system prompt."""
    if rng.random() < 0.10:
        name, maker, system = persona_prompt(rng)
        return row(identity(rng, name=name, maker=maker), system)
    general = rng.choice(GENERAL_SYSTEMS) if rng.random() < 0.05 else None
    return row(any_turn(world, rng, mix=mix), general)


def polish_chat(world: World, rng: random.Random) -> Row:
    """As `chat`, with more forms for what the model still takes for something else after the long stage."""
    kind = rng.random()
    if kind < 0.08:
        return row(identity(rng, more=True))
    if kind < 0.10:
        return row(nicknamed(rng))
    if kind < 0.14:
        name, maker, system = persona_prompt(rng)
        return row(identity(rng, name=name, maker=maker, more=True), system)
    if kind < 0.20:
        return row(more_unknown(world, rng))
    if kind < 0.31:
        return row(capitals(world, rng, more=True))
    if kind < 0.41:
        return row(repeat(world, rng, more=True))
    return chat(world, rng, mix=POLISH)


def long_chat(world: World, rng: random.Random, turns: int) -> Row:
    """Several turns; some go on with "And <name>?", which only the turn before explains."""
    messages: Row = []
    name, maker = MODEL_NAME, MAKER
    if rng.random() < 0.25:
        name, maker, system = persona_prompt(rng)
        messages.append({"role": "system", "content": system})
    while len(messages) < 2 * turns:
        if rng.random() < 0.1:
            messages += row(identity(rng, name=name, maker=maker))
            continue
        turn = (
            fact(world, rng) if rng.random() < 0.4 else any_turn(world, rng, identities=False, mix=PRACTICE)
        )
        messages += row(turn)
        if turn.kind.startswith("fact ") and rng.random() < 0.5:
            attribute = turn.kind.removeprefix("fact ")
            other = rng.choice([f for f in world.facts if f.attribute == attribute])
            messages += row(
                Turn(
                    rng.choice(p.FOLLOW_UPS).format(n=other.subject),
                    answer_to(other, rng),
                    other.value,
                    turn.kind,
                )
            )
    return messages
