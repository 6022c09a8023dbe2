from __future__ import annotations

from pathlib import Path

import pytest

from studio_core.runs import rollouts, token_figures
from studio_core.runs.rollouts import RolloutWriter
from studio_core.runs.token_figures import TokenFigures, TokenFiguresWriter
from tests.unit.studio_core.runs.test_rollouts import rollout

FIGURES = TokenFigures(tokens=["4", "<|end|>"], entropy=[0.5, 0.1])


@pytest.mark.parametrize(
    ("rewards", "expected"),
    [
        ([0.0, 1.0, 0.5, 0.5, 0.5], [0, 1, 3, 4]),
        ([None, 0.5, None, None], [1, 2, 3]),
        ([None, None, None], [1, 2]),
        ([1.0], [0]),
        ([], []),
    ],
)
def test_the_best_the_worst_and_the_newest_of_a_step_have_them(
    rewards: list[float | None], expected: list[int]
) -> None:
    assert token_figures.places(rewards) == expected


def test_they_are_found_with_their_rollouts(tmp_path: Path) -> None:
    first, second = RolloutWriter(tmp_path, kept=100).write([rollout(1), rollout(2)])
    assert rollouts.page(tmp_path).by_token == {}  # As in folders of former versions.
    TokenFiguresWriter(tmp_path).write(second, FIGURES)
    with (tmp_path / token_figures.FILE).open("a", encoding="utf-8") as file:
        file.write(f'{{"mark": "{first}", "tok')
    page = rollouts.page(tmp_path)
    assert [mark for mark, _ in page.rollouts] == [second, first]
    assert page.by_token == {second: FIGURES}


def test_the_newest_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_figures, "KEPT", 10)
    for number in range(13):  # A run that goes on in the same folder counts what is there.
        TokenFiguresWriter(tmp_path).write(f"{number}-1", FIGURES)
    kept = token_figures.read(tmp_path, [f"{number}-1" for number in range(13)])
    assert [*kept] == [f"{number}-1" for number in range(5, 13)]


def test_figures_are_short() -> None:
    assert token_figures.short([0.123456, 12345.6, 0.0]) == [0.123, 12300.0, 0.0]
