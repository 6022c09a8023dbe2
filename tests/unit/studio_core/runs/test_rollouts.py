from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio_core.runs import rollout_index, rollouts
from studio_core.runs.rollouts import Rollout, RolloutWriter


def rollout(step: int, reward: float | None = 1.0) -> Rollout:
    return Rollout(
        step=step, prompt="2 plus 2", answer=f"{step}\n问", rewards={"equality": reward}, reward=reward,
        advantage=0.0, tokens=2, ended=True,
    )  # fmt: skip


def chosen(folder: Path | None, *choice: Any, **named: Any) -> list[Rollout]:
    return [one for _, one in rollouts.page(folder, *choice, **named).rollouts]


def test_the_newest_are_kept_and_never_more_than_asked_for(tmp_path: Path) -> None:
    writer = RolloutWriter(tmp_path, kept=100)
    for step in range(1, 231):
        writer.write([rollout(step)])
    kept = [one["step"] for one in rollouts.read(tmp_path)]
    assert 50 <= len(kept) <= 100 and kept == list(range(231 - len(kept), 231))
    # A run that goes on in the same folder counts what is there.
    RolloutWriter(tmp_path, kept=100).write(rollout(step) for step in range(231, 300))
    kept = [one["step"] for one in rollouts.read(tmp_path)]
    assert 50 <= len(kept) <= 100 and kept[-1] == 299


def test_they_are_found_by_step_and_by_worth(tmp_path: Path) -> None:
    RolloutWriter(tmp_path, kept=100).write(
        [rollout(1, 0.5), rollout(1, None), rollout(2, 1.0), rollout(2, 0.0)]
    )
    assert [one["step"] for one in chosen(tmp_path, limit=3)] == [2, 2, 1]
    assert [one["reward"] for one in chosen(tmp_path, 1)] == [None, 0.5]
    assert [one["reward"] for one in chosen(tmp_path, order="best")] == [1.0, 0.5, 0.0]
    assert [one["reward"] for one in chosen(tmp_path, order="worst", limit=1)] == [0.0]
    assert chosen(None) == [] and chosen(tmp_path / "none") == []


def test_a_line_that_is_not_yet_whole_is_left_out(tmp_path: Path) -> None:
    RolloutWriter(tmp_path, kept=100).write([rollout(1)])
    with (tmp_path / rollouts.FILE).open("a", encoding="utf-8") as file:
        file.write('{"step": 2, "pro')
    assert [one["step"] for one in rollouts.read(tmp_path)] == [1]


def asked(step: int, prompt: str, *rewards: float | None, answer: str = "so") -> list[Rollout]:
    return [
        {**rollout(step, reward), "prompt": prompt, "answer": f"{answer} {n}"}
        for n, reward in enumerate(rewards)
    ]


def answers(page: rollouts.Page) -> list[tuple[int, str, float | None]]:
    return [(one["step"], one["prompt"], one["reward"]) for _, one in page.rollouts]


def test_prompts_whose_answers_differ_most_come_first_and_those_that_differ_in_nothing_not_at_all(
    tmp_path: Path,
) -> None:
    writer = RolloutWriter(tmp_path, kept=100)
    writer.write(asked(1, "a", 0.0, 1.0) + asked(1, "b", 0.4, 0.6, None) + asked(1, "c", 0.5, 0.5))
    writer.write(asked(2, "a", 0.1, 0.1))
    page = rollouts.page(tmp_path, order="varied")
    assert answers(page) == [(1, "a", 1.0), (1, "a", 0.0), (1, "b", 0.6), (1, "b", 0.4)]
    assert (page.total, page.first_step, page.last_step) == (4, 1, 2)
    assert rollouts.page(tmp_path, 2, "varied").total == 0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("CAFÉ", ["a"]), ("café", ["a"]), ("加", ["b"]), ('say "hi"', ["c"]), ("line\nbreak", ["c"]), ("b\\", ["d"]),
        # Names of fields and of rewards are no text of a rollout.
        ("answer", []), ("prompt", []), ("equality", []), ("ended", []), ("1", ["d"]), ("step", ["d"]), (".*", []),
    ],
)  # fmt: skip
def test_texts_are_searched_whatever_stands_in_them(tmp_path: Path, text: str, found: list[str]) -> None:
    texts = {
        "a": "Ein Café",
        "b": "2 加 2",
        "c": 'they say "Hi"\nline\nbreak',
        "d": 'b\\ step 1", "rewards": "x',
    }
    kept: list[Rollout] = [{**rollout(7), "prompt": name, "answer": answer} for name, answer in texts.items()]
    RolloutWriter(tmp_path, kept=100).write(kept)
    page = rollouts.page(tmp_path, text=text)
    assert [one["prompt"] for _, one in reversed(page.rollouts)] == found and page.total == len(found)


def test_pages_follow_each_other(tmp_path: Path) -> None:
    RolloutWriter(tmp_path, kept=100).write(rollout(step) for step in range(1, 61))
    shown = [rollouts.page(tmp_path, offset=offset, limit=25) for offset in (0, 25, 50, 75)]
    assert [len(page.rollouts) for page in shown] == [25, 25, 10, 0]
    assert [one["step"] for page in shown for _, one in page.rollouts] == [*range(60, 0, -1)]


def test_a_rollout_is_found_again_with_the_others_to_its_prompt(tmp_path: Path) -> None:
    writer = RolloutWriter(tmp_path, kept=40)
    writer.write(asked(3, "a", 0.0, 1.0, 0.5) + asked(3, "b", 1.0) + asked(4, "a", 0.2))
    [(mark, best)] = rollouts.page(tmp_path, 3, "best", text="so 1", limit=1).rollouts
    # Its file is another by then.
    writer.write(rollout(step) for step in range(5, 30))
    asked_, *others = rollouts.group(tmp_path, mark)
    assert asked_ == best and [one["reward"] for one in others] == [0.0, 0.5]
    writer.write(rollout(step) for step in range(30, 80))
    assert rollouts.group(tmp_path, mark) == []
    for nonsense in ("", "3", "3-x", "-", f"3-{'9' * 30}", "../..", "²-²"):
        assert rollouts.group(tmp_path, nonsense) == []


def test_what_the_index_lacks_is_read_from_the_lines(tmp_path: Path) -> None:
    RolloutWriter(tmp_path, kept=100).write(asked(1, "a", 0.0, 1.0))
    index = rollout_index.path_of(tmp_path / rollouts.FILE)
    whole = index.read_bytes()
    (other := tmp_path / "other").mkdir()
    RolloutWriter(other, kept=100).write(asked(1, "a", *[1.0] * 5))
    longer = rollout_index.path_of(other / rollouts.FILE).read_bytes()
    # A run of the version before this one has none; of one that was killed it is short, or torn. The last is that of
    # the file before, which is about to be renamed.
    for spoilt in (b"", whole[: len(whole) // 2], whole[:-3], longer):
        index.write_bytes(spoilt)
        assert rollouts.page(tmp_path, order="best").total == 2
    index.unlink()
    with (tmp_path / rollouts.FILE).open("a", encoding="utf-8") as file:
        file.write('{"step": 2, "torn\n')
    RolloutWriter(tmp_path, kept=100).write([rollout(3)])
    assert [one["step"] for one in chosen(tmp_path)] == [3, 1, 1]
    assert [one["step"] for one in rollouts.read(tmp_path)] == [1, 1, 3]
    assert len(index.read_bytes()) == 3 * rollout_index.ENTRY.itemsize
