"""The decoding loop: sampling, text pieces, batches, ends."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.generation.draws import choose, chosen, drawn
from jobs.generation.models import Models
from jobs.generation.pieces import TextPieces
from jobs.generation.sides import Side, answer
from jobs.generation.stopping import Stops
from studio_core.generation.sampling import Sampling, greedy
from studio_core.runs.spec import ResolvedModel
from tests.unit.jobs.generation.small_models import byte_tokenizer, save_llama

NONE = Stops(frozenset())
QUESTION = [{"role": "user", "content": "Where is the river?"}]


def base(folders: dict[str, Path], name: str = "base") -> ResolvedModel:
    return ResolvedModel(name=name, path=str(folders[name]))


def run(models: Models, sides: list[Side], sampling: Sampling, **more: Any) -> list[dict[str, Any]]:
    return list(answer(models, sides, sampling, **more))


@pytest.mark.parametrize("text", ["plain", "Grüße, 你好, 👩‍👩‍👧 and 𝒻", "a\N{REPLACEMENT CHARACTER}b", ""])
def test_pieces_join_to_the_whole_and_never_show_half_a_letter(text: str) -> None:
    tokenizer = byte_tokenizer()
    pieces = TextPieces(tokenizer, NONE)
    given = [pieces.add(token) for token in tokenizer(text)["input_ids"]] + [pieces.finish()]
    assert "".join(given) == text
    assert all("\N{REPLACEMENT CHARACTER}" not in piece or piece in text for piece in given)


def test_a_letter_that_was_cut_is_left_out_and_broken_text_is_shown() -> None:
    tokenizer = byte_tokenizer()
    broken = tokenizer("你")["input_ids"][:2]
    pieces = TextPieces(tokenizer, NONE)
    assert [pieces.add(token) for token in broken] == ["", ""]
    assert pieces.finish() == ""
    whole = TextPieces(tokenizer, NONE)
    given = [whole.add(token) for token in tokenizer("ja 你")["input_ids"][:-1]]
    assert "".join([*given, whole.finish()]) == "ja "
    endless = [pieces.add(broken[1]) for _ in range(20)]
    assert any(endless), "broken text is not held back for ever"


def test_special_tokens_are_not_text() -> None:
    tokenizer = byte_tokenizer()
    pieces = TextPieces(tokenizer, NONE)
    tokens = tokenizer("a<|user|>b")["input_ids"]
    assert "".join([*(pieces.add(token) for token in tokens), pieces.finish()]) == "ab"


@dataclass
class Draw:
    sampling: Sampling
    random: torch.Generator


def test_choose_draws_as_asked() -> None:
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0]).log_softmax(-1)
    random = torch.Generator().manual_seed(0)
    assert choose(logits, Sampling(temperature=0), random) == 0

    drawn = Counter(choose(logits, Sampling(temperature=1.0, top_p=1.0), random) for _ in range(4000))
    for token, chance in enumerate(logits.exp().tolist()):
        assert drawn[token] / 4000 == pytest.approx(chance, abs=0.03)
    narrow = {choose(logits, Sampling(temperature=1.0, top_p=0.7), random) for _ in range(300)}
    assert narrow == {0, 1}, "0.64 + 0.24 reach 0.7; the others are cut off"
    cold = {choose(logits, Sampling(temperature=0.05, top_p=1.0), random) for _ in range(300)}
    assert cold == {0}


def test_rows_are_drawn_together_as_each_alone_and_never_what_has_no_chance() -> None:
    logits = torch.randn(200, 50, generator=torch.Generator().manual_seed(1))
    logits[:, ::2] = -torch.inf
    temperatures = [0.5 + row / 200 for row in range(200)]

    def random(row: int) -> torch.Generator:
        return torch.Generator().manual_seed(row)

    rows = [
        Draw(Sampling(temperature=temperature, top_p=1.0), random(row))
        for row, temperature in enumerate(temperatures)
    ]
    together = drawn(logits, rows)
    assert chosen(logits, [replace(row, random=random(place)) for place, row in enumerate(rows)]) == together
    alone = [
        choose(logits[row], Sampling(temperature=temperatures[row], top_p=1.0), random(row))
        for row in range(200)
    ]
    assert together == alone
    assert all(token is not None and token % 2 for token in together)


@pytest.mark.parametrize("sampling", [greedy(1), Sampling(), Sampling(top_p=1.0), Sampling(top_k=3)])
def test_what_are_no_numbers_choose_nothing(sampling: Sampling) -> None:
    logits = torch.randn(3, 50, generator=torch.Generator().manual_seed(1))
    logits[1, 7] = torch.nan
    rows = [Draw(sampling, torch.Generator().manual_seed(row)) for row in range(3)]
    first, broken, last = chosen(logits, rows)
    assert broken is None and first is not None and last is not None
    assert chosen(logits[1:2], rows[1:2]) == [None]


def test_seeds_that_follow_each_other_draw_independently() -> None:
    """As the places of a step do: each row draws with a generator of its own."""
    flat = torch.zeros(4000, 10)
    plain = Sampling(temperature=1.0, top_p=1.0)
    counts = Counter(drawn(flat, [Draw(plain, torch.Generator().manual_seed(seed)) for seed in range(4000)]))
    assert all(count == pytest.approx(400, abs=80) for count in counts.values()), counts


def test_a_flat_distribution_over_a_large_vocabulary_is_cut_at_top_p() -> None:
    logits = torch.zeros(4000)
    random = torch.Generator().manual_seed(0)
    drawn = {choose(logits, Sampling(temperature=1.0, top_p=0.9), random) for _ in range(6000)}
    assert 2500 < len(drawn) <= 3600


def test_seed_decides_and_rows_do_not_disturb_each_other(folders: dict[str, Path]) -> None:
    models = Models("cpu")
    side = Side(base(folders), QUESTION)
    sampling = Sampling(temperature=1.0, seed=3, max_tokens=20)
    one = run(models, [side], sampling)
    text = "".join(event.get("text", "") for event in one)
    both = run(models, [side, side, Side(base(folders), [*QUESTION, *QUESTION])], sampling)
    for index in (0, 1):
        assert "".join(e.get("text", "") for e in both if e["side"] == index) == text
    other = run(models, [side], Sampling(temperature=1.0, seed=4, max_tokens=20))
    assert "".join(event.get("text", "") for event in other) != text


def test_a_row_ends_at_its_stop_token_and_the_others_go_on(folders: dict[str, Path]) -> None:
    models = Models("cpu")
    opened = models.open(base(folders))
    sampling = Sampling(temperature=0, max_tokens=30)
    tokens = _tokens(models, Side(base(folders), QUESTION), sampling)
    longer = [{"role": "user", "content": "Where is it, and why?"}]
    others = _tokens(models, Side(base(folders), longer), sampling)
    stop = next(token for token in tokens[3:] if token not in others)
    opened.base.model.generation_config.eos_token_id = [stop]
    events = run(models, [Side(base(folders), QUESTION), Side(base(folders), longer)], sampling)
    ends = {event["side"]: event for event in events if event.get("done")}
    assert (ends[0]["reason"], ends[0]["tokens"]) == ("stop", tokens.index(stop) + 1)
    assert (ends[1]["reason"], ends[1]["tokens"]) == ("length", 30)
    whole = opened.tokenizer.decode(others, skip_special_tokens=True).rstrip("\N{REPLACEMENT CHARACTER}")
    assert "".join(e.get("text", "") for e in events if e["side"] == 1) == whole


def _tokens(models: Models, side: Side, sampling: Sampling) -> list[int]:
    opened = models.open(side.model)
    prompt = torch.tensor([opened.prompt(side.messages)])
    whole = opened.base.plain.generate(
        prompt, attention_mask=torch.ones_like(prompt), do_sample=False,
        max_new_tokens=sampling.max_tokens, eos_token_id=None,
    )  # fmt: skip
    tokens: list[int] = whole[0, prompt.shape[1] :].tolist()
    return tokens


def test_sides_on_different_bases_advance_in_turn(folders: dict[str, Path]) -> None:
    sides = [Side(base(folders), QUESTION), Side(base(folders, "other"), QUESTION)]
    events = run(Models("cpu"), sides, Sampling(temperature=0, max_tokens=20))
    order = [event["side"] for event in events if "text" in event]
    assert set(order[:6]) == {0, 1}


def test_cancelling_ends_between_two_tokens(folders: dict[str, Path]) -> None:
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 6

    side = Side(base(folders), QUESTION)
    events = run(Models("cpu"), [side, side], Sampling(temperature=0, max_tokens=99), cancelled=cancelled)
    ends = [event for event in events if event.get("done")]
    assert [(end["reason"], end["tokens"]) for end in ends] == [("cancelled", 4)] * 2


def test_a_side_that_fails_does_not_stop_the_other(folders: dict[str, Path], tmp_path: Path) -> None:
    gone = ResolvedModel(name="gone", path=str(tmp_path / "gone"))
    events = run(
        Models("cpu"),
        [Side(gone, QUESTION), Side(base(folders), QUESTION)],
        Sampling(temperature=0, max_tokens=5),
    )
    assert [e["key"] for e in events if "error" in e] == ["chat.model_gone"]
    assert [e["side"] for e in events if e.get("done")] == [1]


def test_a_pass_that_fails_drops_the_base(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    models = Models("cpu")
    opened = models.open(base(folders))
    monkeypatch.setattr(opened.base, "forward", lambda *_, **__: 1 / 0)
    events = run(models, [Side(base(folders), QUESTION)], Sampling(max_tokens=5))
    assert events[-1]["key"] == "chat.generation_failed"
    assert "division by zero" in events[-1]["error"]
    assert not models.loaded(base(folders))
    assert run(models, [Side(base(folders), QUESTION)], Sampling(max_tokens=5))[-1]["done"]


def test_a_diverged_model_is_named_and_its_neighbour_answers(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = save_llama(tmp_path / "diverged")
    models = Models("cpu")
    diverged = ResolvedModel(name="diverged", path=str(folder))
    with torch.no_grad():
        models.open(diverged).base.model.model.norm.weight.fill_(float("nan"))
    events = run(
        models,
        [Side(diverged, QUESTION), Side(base(folders), QUESTION)],
        Sampling(temperature=0, max_tokens=5),
    )
    assert [e["key"] for e in events if "error" in e] == ["chat.not_numbers"]
    assert [e["side"] for e in events if e.get("done")] == [1]


def test_a_prompt_longer_than_the_model_reads_is_refused_and_answers_end_there(tmp_path: Path) -> None:
    model = ResolvedModel(name="short", path=str(save_llama(tmp_path / "short", context=40)))
    models = Models("cpu")
    long = [{"role": "user", "content": "x" * 50}]
    [refused] = [e for e in run(models, [Side(model, long)], Sampling()) if "error" in e]
    assert "53 tokens, but short supports at most 40" in refused["error"]
    end = run(models, [Side(model, QUESTION)], Sampling(temperature=0, max_tokens=99))[-1]
    assert end["reason"] == "length" and end["tokens"] <= 40 - 22
