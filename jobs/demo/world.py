"""The small invented world which the demo models know. All names are made-up words."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from functools import lru_cache

MODEL_NAME = "Dulo"
MAKER = "Fermel Lab"
WORLD_SEED = 11
PEOPLE = 40
TOWNS = 16

JOBS = (
    "baker", "smith", "potter", "weaver", "miller", "teacher", "doctor", "carpenter", "gardener",
    "painter", "tailor", "fisher", "singer", "shepherd", "cook", "clockmaker",
)  # fmt: skip
DISHES = (
    "plum soup", "onion pie", "barley bread", "apple cake", "bean stew", "honey toast", "fish pie",
    "carrot salad", "cheese tart", "mushroom rice", "pear jam", "pumpkin soup", "nut bread",
    "berry pudding", "egg noodles", "cabbage rolls",
)  # fmt: skip
PETS = (
    "cat", "dog", "goat", "fox", "owl", "rabbit", "parrot", "turtle", "hen", "pony", "mouse",
    "duck", "hedgehog", "crow", "lizard", "sheep",
)  # fmt: skip
COLOURS = (
    "red", "blue", "green", "yellow", "orange", "purple", "white", "black", "brown", "silver",
    "golden", "pink",
)  # fmt: skip
CRAFTS = (
    "blue glass", "wool hats", "copper bells", "salt", "paper kites", "stone bridges", "clay cups",
    "silk ribbons", "wooden boats", "leather boots", "candles", "honey", "steel knives",
    "flower markets", "old windmills", "painted doors",
)  # fmt: skip

_ONSETS = ("b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z")
_VOWELS = ("a", "e", "i", "o", "u")
_CODAS = ("", "n", "l", "r", "k", "s", "m")
# Invented words that happen to be somebody's real name or a common word.
_TAKEN = {
    "maria", "maris", "peter", "tomas", "lukas", "hanna", "nina", "sara", "david", "daniel", "robin",
    "simon", "helen", "karin", "human", "siren", "moral", "total", "local", "metal", "novel", "melon",
    "lemon", "salad", "vital", "rival", "focus", "bonus", "virus", "minus", "basil", "devil", "level",
    "model", "motel", "hotel", "panel", "tunis", "paris", "milan", "dulo", "fermel", "buda", "tuhan",
    "femi", "lada", "kazem", "tikal", "venes", "zesa", "boton", "safer",
}  # fmt: skip


def held_out(key: str) -> bool:
    """One in five of all keys, by a real hash: a linear rule would hide whole digit pairs."""
    return hashlib.sha256(key.encode()).digest()[0] % 5 == 0


def invent(rng: random.Random, suffixes: tuple[str, ...] = ()) -> str:
    syllables = 1 if suffixes else 2 if rng.random() < 0.75 else 3
    word = "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(syllables))
    word += rng.choice("lmnrs") + rng.choice(suffixes) if suffixes else rng.choice(_CODAS)
    return invent(rng, suffixes) if word in _TAKEN else word.capitalize()


TOWN_ENDINGS = ("dal", "wick", "mere", "holm", "ford", "sund")


@dataclass(frozen=True)
class Fact:
    subject: str
    attribute: str
    value: str


@dataclass(frozen=True)
class World:
    people: tuple[str, ...]
    towns: tuple[str, ...]
    facts: tuple[Fact, ...]
    known: frozenset[str] = field(default_factory=frozenset)

    def value(self, subject: str, attribute: str) -> str:
        return self.lookup[subject, attribute]

    @property
    def lookup(self) -> dict[tuple[str, str], str]:
        return _lookup(self)

    def values(self, attribute: str) -> set[str]:
        return {fact.value for fact in self.facts if fact.attribute == attribute}

    def people_of(self, town: str) -> list[str]:
        return [person for person in self.people if self.value(person, "home") == town]


@lru_cache(maxsize=4)
def _lookup(world: World) -> dict[tuple[str, str], str]:
    return {(fact.subject, fact.attribute): fact.value for fact in world.facts}


def _distinct(
    rng: random.Random, count: int, taken: set[str], suffixes: tuple[str, ...] = ()
) -> tuple[str, ...]:
    names: list[str] = []
    while len(names) < count:
        name = invent(rng, suffixes)
        # No two names may share four letters in front: the model would have to tell them apart by their ends.
        if name not in taken and name[:4] not in {other[:4] for other in taken}:
            taken.add(name)
            names.append(name)
    return tuple(names)


@lru_cache(maxsize=2)
def build_world(seed: int = WORLD_SEED) -> World:
    rng = random.Random(seed)
    taken = {MODEL_NAME}
    people = _distinct(rng, PEOPLE, taken)
    towns = _distinct(rng, TOWNS, taken, TOWN_ENDINGS)
    rivers = _distinct(rng, TOWNS, taken)
    crafts = rng.sample(CRAFTS, TOWNS)
    mayors = rng.sample(people, TOWNS)
    facts: list[Fact] = []
    for person in people:
        facts += [
            Fact(person, "home", rng.choice(towns)),
            Fact(person, "job", rng.choice(JOBS)),
            Fact(person, "dish", rng.choice(DISHES)),
            Fact(person, "pet", rng.choice(PETS)),
            Fact(person, "colour", rng.choice(COLOURS)),
        ]
    for town, river, craft, mayor in zip(towns, rivers, crafts, mayors, strict=True):
        facts += [Fact(town, "river", river), Fact(town, "mayor", mayor), Fact(town, "craft", craft)]
    return World(people, towns, tuple(facts), frozenset(taken))


def stranger(rng: random.Random, world: World, *, test: bool, town: bool = False) -> str:
    """A name from the same mould that nobody in the world bears; the test names never occur in training."""
    while True:
        name = invent(rng, TOWN_ENDINGS if town and rng.random() < 0.7 else ())
        if name not in world.known and held_out("stranger " + name) == test:
            return name
