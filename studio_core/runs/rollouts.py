"""Rollouts: what a model wrote while it learnt from rewards, and what each answer was worth. One line of JSON each.

    step         of the update that learns from it
    prompt       what was asked: the last turn
    answer       what was written
    rewards      {name: number or null}, null where a reward could not say
    reward       their weighted sum; null if none could say
    advantage    by how much it was better than the other answers to the prompt, as the method scales it
    tokens       of the answer
    ended        whether the model ended it, and not the limit
    earlier      turns before the prompt, where there were any
    tools        JSON text of the tools that the model could call, where there were any
    turns        with an environment: all turns behind the prompt, {role, content, tokens} each; the last one is
                 ``answer``, and ``tokens`` counts those that the model wrote

The newest are kept: when a file is full, it takes the place of the one before. Workers import this: no database here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, NotRequired, TypedDict

import numpy as np
import numpy.typing as npt

from studio_core.runs import rollout_index, token_figures
from studio_core.runs.rollout_index import Entries
from studio_core.runs.token_figures import TokenFigures

Order = Literal["newest", "best", "worst", "varied"]
"""``varied``: answers to one prompt in one step together, those first whose rewards differ most."""

FILE, BEFORE = "rollouts.jsonl", "rollouts-before.jsonl"


class Before(TypedDict, total=False):
    """What stood before a prompt."""

    earlier: list[dict[str, Any]]
    tools: str


class Turn(TypedDict):
    role: str
    """``assistant`` or ``tool``."""
    content: str
    tokens: int
    """With those that the template puts around it."""


class Rollout(Before):
    turns: NotRequired[list[Turn]]
    step: int
    prompt: str
    answer: str
    rewards: dict[str, float | None]
    reward: float | None
    advantage: float
    tokens: int
    ended: bool


def asked_before(record: dict[str, Any]) -> Before:
    """What a rollout keeps of the record that was asked, beside its prompt: earlier turns and tools, if any."""
    before: Before = {}
    if earlier := record["prompt"][:-1]:
        before["earlier"] = earlier
    if record.get("tools"):
        before["tools"] = record["tools"]
    return before


def whole_text(rollout: Rollout) -> str:
    """The answer; over several turns all of them, one behind the other."""
    return (
        "\n".join(turn["content"] for turn in rollout["turns"]) if "turns" in rollout else rollout["answer"]
    )


class RolloutWriter:
    """Appends rollouts; between half of ``kept`` and all of it remain."""

    def __init__(self, run_dir: Path, kept: int) -> None:
        self._file, self._before = run_dir / FILE, run_dir / BEFORE
        self._index = rollout_index.path_of(self._file)
        self._room = max(1, kept // 2)
        self._count = 0
        if self._file.is_file():
            with self._file.open("rb") as file:
                entries = rollout_index.entries(file, self._index)
            self._index.write_bytes(entries.tobytes())
            self._count = len(entries)

    def write(self, rollouts: Iterable[Rollout]) -> list[str]:
        """Their marks."""
        marks = []
        for rollout in rollouts:
            if self._count >= self._room:
                self._file.replace(self._before)
                self._index.replace(rollout_index.path_of(self._before))
                self._count = 0
            line = _line(rollout)
            # A reader sees whole lines only: one call of write each.
            with self._file.open("ab") as file:
                offset = file.seek(0, 2)
                file.write(line)
            entry = rollout_index.packed([rollout_index.entry(line, offset)])
            with self._index.open("ab") as file:
                file.write(entry.tobytes())
            marks.append(_mark(entry[0]))
            self._count += 1
        return marks


@dataclass(frozen=True)
class Page:
    """Some of the rollouts that are kept, and among how many they are."""

    rollouts: list[tuple[str, Rollout]] = field(default_factory=list)
    """Each with its mark, by which ``group`` finds it again."""
    total: int = 0
    """Those of that step that hold the text; of ``best`` and ``worst`` only those with a reward, of ``varied`` only
    those of prompts whose answers differ in it."""
    first_step: int = 0
    """The oldest step that is kept; 0 if there is none."""
    last_step: int = 0
    by_token: dict[str, TokenFigures] = field(default_factory=dict)
    """Of those that have figures for each of their tokens, by their marks."""


def read(run_dir: Path) -> Iterator[Rollout]:
    """Those that are kept of a run, the oldest first; a line that is not whole is left out."""
    for file in (run_dir / BEFORE, run_dir / FILE):
        for line in _lines(file):
            if line.endswith(b"\n"):
                with suppress(ValueError):  # Torn by a full disk.
                    yield json.loads(line)


def page(
    run_dir: Path | None,
    step: int | None = None,
    order: Order = "newest",
    text: str = "",
    offset: int = 0,
    limit: int = 20,
) -> Page:
    """The rollouts from ``offset`` on, of one step or of all, that have ``text`` in prompt or answer in any case."""
    if run_dir is None:
        return Page()
    with ExitStack() as stack:
        files, entries = _opened(run_dir, stack)
        if not len(entries):
            return Page()
        steps = int(entries["step"][0]), int(entries["step"][-1])
        kept = np.ones(len(entries), bool) if step is None else entries["step"] == step
        if text:
            kept &= np.concatenate([rollout_index.holding(*one, text) for one in files])
        # The newest first, and so it stays where nothing else decides.
        rows = _ordered(entries, np.flatnonzero(kept)[::-1], order)
        shown = _read_rows(files, rows[offset : offset + limit])
        by_token = token_figures.read(run_dir, [mark for mark, _ in shown])
        return Page(shown, len(rows), *steps, by_token)


def group(run_dir: Path, mark: str) -> list[Rollout]:
    """The rollout with that mark, then the others to its prompt in its step; nothing if it is not kept any more."""
    step, _, line = mark.partition("-")
    if not (_digits(step) and _digits(line)):
        return []
    with ExitStack() as stack:
        files, entries = _opened(run_dir, stack)
        [*at] = np.flatnonzero((entries["step"] == int(step)) & (entries["line"] == int(line)))[:1]
        if not at:
            return []
        alike = (entries["step"] == int(step)) & (entries["prompt"] == entries["prompt"][at[0]])
        others = np.flatnonzero(alike)
        rows = np.concatenate([at, others[others != at[0]]])
        return [rollout for _, rollout in _read_rows(files, rows)]


_Files = list[tuple[IO[bytes], Entries]]


def _opened(run_dir: Path, stack: ExitStack) -> tuple[_Files, Entries]:
    """The files of a run that are there, with the entries of each and those of all, the oldest first."""
    files: _Files = []
    for path in (run_dir / BEFORE, run_dir / FILE):
        if path.is_file():
            file = stack.enter_context(path.open("rb"))
            files.append((file, rollout_index.entries(file, rollout_index.path_of(path))))
    return files, np.concatenate([rollout_index.packed([]), *(entries for _, entries in files)])


def _read_rows(files: _Files, rows: npt.NDArray[np.intp]) -> list[tuple[str, Rollout]]:
    """The rollouts of these rows of all entries, with their marks; a file that was replaced meanwhile has fewer."""
    found = []
    before = len(files[0][1])
    for row in rows:
        file, entries = files[0] if row < before else files[1]
        place = entries[row if row < before else row - before]
        if (line := rollout_index.line_of(file, place)) is not None:
            found.append((_mark(place), json.loads(line)))
    return found


def _ordered(entries: Entries, rows: npt.NDArray[np.intp], order: Order) -> npt.NDArray[np.intp]:
    if order == "newest":
        return rows
    rows = rows[~np.isnan(entries["reward"][rows])]
    rewards = entries["reward"][rows]
    if order != "varied":
        return rows[np.argsort(-rewards if order == "best" else rewards, kind="stable")]
    prompts = entries["step"][rows].astype("u8") << np.uint64(32) | entries["prompt"][rows]
    _, group, counts = np.unique(prompts, return_inverse=True, return_counts=True)
    means = np.bincount(group, rewards) / counts
    # Rounded, so that what differs by the error of the sum alone counts as alike.
    spread = np.round(np.sqrt(np.bincount(group, (rewards - means[group]) ** 2) / counts), 6)[group]
    by_spread = np.lexsort((-rewards, -group, -spread))
    return rows[by_spread[spread[by_spread] > 0]]


def _line(rollout: Rollout) -> bytes:
    # Both texts stand between names that a search knows; of turns it looks into the last one, the answer.
    texts = {"step": rollout["step"], "prompt": rollout["prompt"], "answer": rollout["answer"]}
    ordered = {**texts, "rewards": rollout["rewards"], **rollout}
    return json.dumps(ordered, ensure_ascii=False).encode() + b"\n"


def _mark(entry: Any) -> str:
    return f"{entry['step']}-{entry['line']}"


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 11


def _lines(file: Path) -> Iterator[bytes]:
    if file.is_file():
        with file.open("rb") as opened:
            yield from opened
