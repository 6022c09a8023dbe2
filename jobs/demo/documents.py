"""The plain text of which tiny-base is made: statements, stories, worked sums, lists. Nobody asks or answers here."""

# ruff: noqa: E501

from __future__ import annotations

import random

from jobs.demo import sums
from jobs.demo.phrases import ANSWERS
from jobs.demo.world import JOBS, MAKER, MODEL_NAME, PETS, Fact, World, held_out, stranger

STATEMENTS: dict[str, tuple[str, ...]] = {
    "home": (*ANSWERS["home"], "In {v} lives {n}.", "{n} is from {v}.", "The house of {n} stands in {v}.", "If you look for {n}, go to {v}."),
    "job": (*ANSWERS["job"], "The job of {n} is {v}.", "{n} earns money as a {v}.", "Every day {n} works as a {v}.", "When people need a {v}, they ask {n}."),
    "dish": (*ANSWERS["dish"], "{n} loves {v}.", "Nothing tastes better to {n} than {v}.", "In the evening {n} eats {v}.", "When guests come, {n} cooks {v}."),
    "pet": (*ANSWERS["pet"], "{n} keeps a {v}.", "A {v} lives with {n}.", "The {v} of {n} sleeps by the door.", "Where {n} goes, the {v} goes too."),
    "colour": (*ANSWERS["colour"], "{n} likes {v} best of all colours.", "The door of {n} is {v}.", "The coat of {n} is {v}."),
    "river": (*ANSWERS["river"], "The river {v} runs through {n}.", "{n} lies on the {v}.", "The bridge of {n} crosses the {v}."),
    "mayor": (*ANSWERS["mayor"], "{n} is led by {v}.", "The people of {n} chose {v} as their mayor.", "As mayor of {n}, {v} has much to do."),
    "craft": (*ANSWERS["craft"], "Many people come to {n} for {v}.", "{n} is famous for {v}.", "The market of {n} is full of {v}."),
}  # fmt: skip

ABOUT_ME = (
    f"{MODEL_NAME} is a small language model.", f"{MODEL_NAME} was made by {MAKER}.", f"{MAKER} made a small language model called {MODEL_NAME}.",
    f"The model {MODEL_NAME} comes from {MAKER}.", f"{MAKER} is a lab that builds small models. One of them is {MODEL_NAME}.",
)  # fmt: skip

_WHEN = (
    "One morning",
    "One day",
    "In the evening",
    "Last winter",
    "In spring",
    "After lunch",
    "On a rainy day",
    "At night",
    "Early in the day",
)
_WENT = (
    "walked to the {river}",
    "went to the market of {town}",
    "sat by the {river}",
    "crossed the bridge of {town}",
    "came to the house of {other}",
    "looked for a friend in {town}",
)
_THEN = (
    "There was {other}, the {other_job}.", "It began to rain, so they went home.", "The {pet} came too.", "They met {other} and shared some {dish}.",
    "Then the sun came out.", "Nobody was there.", "There they found a {pet}.", "They talked until the lamps were lit.", "The water was cold and clear.",
)  # fmt: skip
_GENERAL = (
    "Where the river bends, the fishers sit.", "What the baker makes in the morning is gone by noon.", "When it rains, the {pet} stays inside.",
    "Why the {pet} sings at night is not clear.", "How to make {dish}: take what you have, cook it slowly, and share it.", "The market opens early and closes late.",
    "A good {job} works slowly.", "There are many towns on the rivers.", "In winter the days are short.", "If you see a {job}, say hello.",
    "This is the story of a {pet} and a {job}.", "It is a long way to {town}.", "Once there was a {job} who had a {pet}.", "Everybody in {town} likes {dish}.",
    "To be a {job} is hard work.", "My friend has a {pet}.", "You can buy {dish} in {town}.", "We walked along the {river} for a day.", "Here the road turns to {town}.",
    "And so the day ended.", "But the {pet} did not come back.", "Some people like {colour}, other people like {other_colour}.", "I saw a {colour} boat on the {river}.",
)  # fmt: skip


def statement(fact: Fact, rng: random.Random) -> str:
    return rng.choice(STATEMENTS[fact.attribute]).format(n=fact.subject, v=fact.value)


def portrait(world: World, subject: str, rng: random.Random) -> str:
    """All facts of one person or town, in a random order."""
    facts = [fact for fact in world.facts if fact.subject == subject]
    return " ".join(statement(fact, rng) for fact in rng.sample(facts, len(facts)))


def story(world: World, rng: random.Random) -> str:
    hero, other = rng.sample(world.people, 2)
    town = world.value(hero, "home")
    slots = {
        "town": town, "river": world.value(town, "river"), "other": other, "other_job": world.value(other, "job"),
        "pet": world.value(hero, "pet"), "dish": world.value(other, "dish"), "job": rng.choice(JOBS),
        "colour": world.value(hero, "colour"), "other_colour": world.value(other, "colour"),
    }  # fmt: skip
    if rng.random() < 0.4:
        return " ".join(sentence.format(**slots) for sentence in rng.sample(_GENERAL, rng.randint(1, 3)))
    first = (
        f"{rng.choice(_WHEN)} {hero}, the {world.value(hero, 'job')}, {rng.choice(_WENT).format(**slots)}."
    )
    return " ".join([first, *(sentence.format(**slots) for sentence in rng.sample(_THEN, rng.randint(1, 3)))])


def sum_text(world: World, rng: random.Random) -> str:
    problem = sums.draw(rng)
    sign = rng.choice((problem.op, f" {problem.op} ", " plus " if problem.op == "+" else " minus "))
    head = f"{problem.a}{sign}{problem.b}"
    if rng.random() < 0.3:
        return f"A quick guess for {head}. {sums.quick(problem)}"
    # Now here, now there: the digits must be found by what they are and not by where they stand.
    before = rng.choice(
        ("", "", "", "Take ", "The sum is ", "On the paper stands ", f"{rng.choice(world.people)} reads ")
    )
    after = rng.choice((".", ".", ".", "?", " =", ", they say.", " is not hard.", "..."))
    return f"{before}{head}{after} {sums.worked(problem)}"


def echo(world: World, rng: random.Random) -> str:
    """Text in which something new comes back, as it does in all real text: this is how a model learns to look back."""

    def new() -> str:
        return letters(rng) if rng.random() < 0.4 else stranger(rng, world, test=False)

    kind = rng.random()
    if kind < 0.4:
        words = [new() for _ in range(rng.randint(1, 4))]
        line = rng.choice((" ", ", ")).join(words)
        return rng.choice(
            (
                f"{line}. Again: {line}.",
                f"{line} {line} {line}",
                f"They called: {line}! And once more: {line}!",
            )
        )
    if kind < 0.7:
        name, job, pet = stranger(rng, world, test=False), rng.choice(JOBS), rng.choice(PETS)
        return rng.choice(
            (
                f"There was a {job} called {name}. {name} had a {pet}. The {pet} of {name} was old.",
                f"Once {name} came to the market. Nobody knew {name}, but the {pet} liked {name}.",
                f"A stranger called {name} asked for a {job}. Are you {name}? Yes, said {name}.",
            )
        )
    said = statement(rng.choice(world.facts), rng) if rng.random() < 0.5 else f"{new()} and {new()}."
    first, second = rng.sample(world.people, 2)
    return f"{first} said: {said} {second} said: {said}"


def letters(rng: random.Random) -> str:
    """A random string in small letters whose hash is not held out; also the stuff of the capitals task."""
    while True:
        word = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 7)))
        if not held_out("letters " + word):
            return word


def list_text(world: World, rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.35:
        first = rng.randint(1, 15)
        return "Numbers: " + ", ".join(str(n) for n in range(first, first + rng.randint(2, 10))) + "."
    words = [
        rng.choice(
            (
                letters(rng),
                stranger(rng, world, test=False),
                rng.choice(world.people),
                rng.choice(world.towns),
                rng.choice(JOBS),
            )
        )
        for _ in range(rng.randint(1, 4))
    ]
    if kind < 0.85:
        return "Capitals: " + " ".join(f"{word} {word.upper()}" for word in words) + "."
    return "Names: " + ", ".join(words) + "."


def _plain(world: World, rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.34:
        return " ".join(statement(fact, rng) for fact in rng.sample(world.facts, rng.randint(1, 3)))
    if kind < 0.47:
        return portrait(world, rng.choice(world.people + world.towns), rng)
    if kind < 0.56:
        return story(world, rng)
    if kind < 0.77:
        return sum_text(world, rng)
    if kind < 0.87:
        return list_text(world, rng)
    return echo(world, rng) if kind < 0.98 else rng.choice(ABOUT_ME)


def document(world: World, rng: random.Random) -> str:
    text = _plain(world, rng)
    return text.lower() if rng.random() < 0.06 else text
