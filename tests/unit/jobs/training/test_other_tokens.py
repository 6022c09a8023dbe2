"""Answers of two tokenizers beside each other, and what their models think of them, beside TRL's."""

from __future__ import annotations

import math
import os
import random

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tokenizers import Tokenizer, decoders, models
from trl.experimental.gold.gold_trainer import ULDLoss

from jobs.generation.stopping import Stops
from jobs.training.divergence import divergence
from jobs.training.other_tokens import OtherTokens, Said, Speaker, aligned, compared
from studio_core.data.chat_format import ChatFormat
from tests.unit.jobs.generation.small_models import STRANGE, TEMPLATE, byte_tokenizer, strange_tokenizer

TEXT = "aaaa \N{LATIN SMALL LETTER E WITH ACUTE}b bbb \N{SNOWMAN}."


def speaker(folder: Path, tokenizer: object, template: str, end: str) -> Speaker:
    tokenizer.save_pretrained(folder)  # type: ignore[attr-defined]
    number = tokenizer.convert_tokens_to_ids(end)  # type: ignore[attr-defined]
    return Speaker(ChatFormat.load(folder, template), Stops(frozenset([number])), (number,))


@pytest.fixture
def both(tmp_path: Path) -> OtherTokens:
    """One token a byte, and one of several letters with other numbers and another end."""
    return OtherTokens(
        speaker(tmp_path / "bytes", byte_tokenizer(), TEMPLATE, "<|end|>"),
        speaker(tmp_path / "words", strange_tokenizer(), STRANGE, "<over>"),
    )


def test_a_text_in_tokens_is_that_text_again_with_the_letter_at_which_each_ends(both: OtherTokens) -> None:
    for each in (both.student, both.teacher):
        tokens = each.tokens(TEXT, ended=True)
        text, ends = each.text(tokens)
        assert text == TEXT and ends[-1] == len(TEXT) + 1
        assert [end for end in ends if end >= 0] == sorted({end for end in ends if end >= 0})
    # Of a letter of two bytes the first has no end.
    _, ends = both.student.text(both.student.tokens("a\N{LATIN SMALL LETTER E WITH ACUTE}", ended=False))
    assert ends == [1, -1, 2]
    assert both.student.text([*both.student.tokens("ab", ended=True), 5, 6]) == ("ab", [1, 2, 3, -1, -1])


def test_control_tokens_that_somebody_wrote_are_letters(both: OtherTokens) -> None:
    text = "a<|end|>b<over>c"
    for each in (both.student, both.teacher):
        assert each.text(each.tokens(text, ended=True))[0] == text


def test_an_end_that_is_spelled_in_letters_is_no_part_of_the_answer(both: OtherTokens) -> None:
    spelled = Speaker(
        both.teacher.chat, Stops(frozenset(), ("bb.",)), tuple(both.teacher.tokens("bb.", False))
    )
    text, ends = spelled.text(spelled.tokens("aaaa", ended=True))
    assert text == "aaaa" and max(ends) == 5
    groups = OtherTokens(both.student, spelled).groups(
        [both.student.tokens("aaaa", True)], [spelled.tokens("aaaa", True)]
    )
    assert groups[-1][0] == range(4, 5) and len(groups[-1][1]) == len(spelled.ending)


def test_noise_has_a_text_whatever_its_bytes(both: OtherTokens) -> None:
    """A student that cannot answer yet writes any tokens, and SentencePiece spells what it lacks in single bytes."""
    vocabulary = {f"<0x{number:02X}>": number for number in range(256)}
    core = Tokenizer(
        models.BPE(vocab={**vocabulary, "a": 256, "\u2581b": 257}, merges=[], byte_fallback=True)
    )
    core.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    stops = Stops(frozenset([300]))
    single = Speaker(replace(both.student.chat, tokenizer=core), stops, (300,))
    for seed in range(50):
        draw = random.Random(seed)
        answer = [draw.randrange(260) for _ in range(30)]
        for each in (single, Speaker(both.student.chat, stops, (300,))):
            text, ends = each.text([*answer, 300])
            places = [end for end in ends if end >= 0]
            assert places == sorted({*places}) and places[-1] == len(text) + 1 and len(ends) == 31


def test_groups_are_whole_and_spell_the_same(both: OtherTokens) -> None:
    ours, theirs = (each.tokens(TEXT, ended=True) for each in (both.student, both.teacher))
    groups = both.groups([ours, ours], [theirs, theirs])
    for side, tokens in enumerate((ours, theirs)):
        assert [place for group in groups for place in group[side]] == [*range(2 * len(tokens))]
    for left, right in groups[: len(groups) // 2 - 1]:
        spelled = (
            each.chat.tokenizer.decode(tokens[part.start : part.stop])
            for each, tokens, part in ((both.student, ours, left), (both.teacher, theirs, right))
        )
        assert len({*spelled}) == 1


def test_texts_that_part_are_compared_up_to_there() -> None:
    whole, cut = ("abcd", [1, 2, 3, 4, 5]), ("abc", [2, 3])
    assert aligned(whole, cut) == [(range(0, 2), range(0, 1)), (range(2, 3), range(1, 2))]
    other = ("abX", [1, 2, 3, 4])
    assert aligned(whole, other) == [(range(n, n + 1), range(n, n + 1)) for n in range(2)]
    assert aligned(whole, ("Z", [1, 2])) == []


def test_groups_are_those_of_trl(both: OtherTokens) -> None:
    ours, theirs = (
        each.text(each.tokens("aaaa bbb good bad.", ended=False))[1] for each in (both.student, both.teacher)
    )
    [left, right] = ULDLoss._align_by_byte_offsets([(0, end) for end in ours], [(0, end) for end in theirs])
    text = "aaaa bbb good bad."
    groups = aligned((text, ours), (text, theirs))
    assert [[*one] for one, _ in groups] == left and [[*other] for _, other in groups] == right


class Renumbered:
    """The vocabulary of a tokenizer, for TRL."""

    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers

    def get_vocab(self) -> dict[str, int]:
        return {f"token {name}": number for name, number in enumerate(self.numbers)}


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_with_renumbered_tokens_loss_and_gradient_are_those_of_trl_and_of_equal_tokens(
    beta: float, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    numbers = torch.randperm(11)
    logits, taught = torch.randn(6, 11, requires_grad=True), torch.randn(6, 11)
    tokens = torch.randint(0, 11, (6,))
    other = torch.empty_like(taught)
    other[:, numbers] = taught
    groups = [(range(n, n + 1), range(n, n + 1)) for n in range(6)]
    shared = dict(enumerate(numbers.tolist()))
    losses, agreed = compared(Said(tokens, logits), Said(numbers[tokens], other), groups, shared, beta)
    same = divergence(logits, taught, beta)
    torch.testing.assert_close(losses, same, rtol=1e-4, atol=1e-5)
    assert agreed == (logits.argmax(-1) == taught.argmax(-1)).sum()
    [gradient] = torch.autograd.grad(losses.mean(), logits)
    torch.testing.assert_close(gradient, torch.autograd.grad(same.mean(), logits)[0], rtol=1e-3, atol=1e-5)
    assert losses.mean().item() == pytest.approx(_trl(logits, other, tokens, numbers, beta), rel=1e-4)


def _trl(
    logits: torch.Tensor, other: torch.Tensor, tokens: torch.Tensor, numbers: torch.Tensor, beta: float
) -> float:
    """Its loss of one answer after one token of a prompt."""
    settings = SimpleNamespace(
        beta=beta, use_extended_uld=True, uld_use_hybrid_loss=True, uld_token_merge_strategy="bayesian",
        uld_hybrid_matched_weight=None, uld_hybrid_unmatched_weight=None,
        uld_crossentropy_weight=0.0, uld_distillation_weight=1.0,
        uld_student_temperature=1.0, uld_teacher_temperature=1.0,
        uld_skip_student_eos=False, uld_skip_teacher_eos=False,
    )  # fmt: skip
    size = len(numbers)
    theirs = ULDLoss(settings, Renumbered([*range(size)]), Renumbered(numbers.tolist()))
    zero = torch.zeros(1, dtype=torch.long)
    ids, told = torch.cat([zero, tokens])[None], torch.cat([zero, numbers[tokens]])[None]
    ends = torch.arange(7)[None, :, None].expand(1, 7, 2)
    labels = (torch.where(torch.arange(7) > 0, each, -100) for each in (ids, told))
    padded = (torch.nn.functional.pad(each, (0, 0, 0, 1))[None] for each in (logits.detach(), other))
    return float(theirs(*padded, *labels, ids, told, ends, ends))


def test_a_text_in_one_token_or_in_two_is_as_likely_to_both_or_not() -> None:
    """By hand: the student says [a][b] with 0.8 * 0.5, the teacher [ab] with 0.9. Nothing is apart if both say it."""
    student = Said(torch.tensor([0, 1]), torch.tensor([[0.8, 0.1, 0.1], [0.25, 0.5, 0.25]]).log())
    teacher = Said(torch.tensor([3]), torch.tensor([[0.04, 0.03, 0.03, 0.9]]).log())
    groups, shared = [(range(0, 2), range(0, 1))], {0: 0, 1: 1, 2: 2}
    losses, agreed = compared(student, teacher, groups, shared, 0.0)
    assert losses.tolist() == pytest.approx([0.9 * math.log(0.9 / 0.4) + 0.1 * math.log(0.1 / 0.6)], rel=1e-4)
    assert agreed == 1
    sure = Said(student.tokens, torch.tensor([[60.0, 0, 0], [0, 60.0, 0]]))
    known = Said(teacher.tokens, torch.tensor([[0.0, 0, 0, 60.0]]))
    for beta in (0.0, 0.5, 1.0):
        losses, _ = compared(sure, known, groups, shared, beta)
        assert losses.tolist() == pytest.approx([0.0], abs=1e-6)


def test_what_only_one_model_has_counts_as_one_and_nothing_to_compare_is_no_loss() -> None:
    """By hand: of both models' token 0 0.5 and 0.6, of all others 0.5 and 0.4."""
    student = Said(torch.tensor([0]), torch.tensor([[0.5, 0.2, 0.3]]).log().requires_grad_())
    teacher = Said(torch.tensor([1]), torch.tensor([[0.4, 0.6]]).log())
    losses, _ = compared(student, teacher, [(range(1), range(1))], {0: 1}, 0.0)
    assert losses.tolist() == pytest.approx([0.6 * math.log(0.6 / 0.5) + 0.4 * math.log(0.4 / 0.5)], rel=1e-4)
    none, agreed = compared(student, teacher, [], {0: 1}, 0.5)
    assert none.shape == (0,) and agreed == 0
    none.sum().backward()
    # Nothing in common but the text: only its chance is compared.
    losses, _ = compared(student, teacher, [(range(1), range(1))], {}, 0.0)
    assert losses.isfinite().all()


def test_ends_of_answers_are_the_same_token(both: OtherTokens) -> None:
    [end], [other] = both.student.ending, both.teacher.ending
    assert both.shared[end] == other and len({*both.shared.values()}) == len(both.shared) >= 256
