"""Sums of numbers below 100: the problems, what is held out, and two ways of solving them."""

from __future__ import annotations

import random
from typing import NamedTuple

from jobs.demo.phrases import MINUS, PLUS
from jobs.demo.world import held_out


class Sum(NamedTuple):
    a: int
    b: int
    op: str

    @property
    def answer(self) -> int:
        return self.a + self.b if self.op == "+" else self.a - self.b

    @property
    def unseen(self) -> bool:
        """Whether no stage of training may show this problem; 38+47 is the same problem as 47+38."""
        low, high = (min(self.a, self.b), max(self.a, self.b)) if self.op == "+" else (self.a, self.b)
        return held_out(f"sum {low}{self.op}{high}")

    @property
    def is_step(self) -> bool:
        """Whether it is small enough to stand inside a worked answer; such are never measured."""
        return self.b < 10 and self.a < (10 if self.op == "+" else 19)

    @property
    def carries(self) -> bool:
        ones = self.a % 10, self.b % 10
        return sum(ones) > 9 if self.op == "+" else ones[0] < ones[1]


def draw(rng: random.Random, *, test: bool = False) -> Sum:
    """A problem; half of all need a carry or a borrow, so that `quick` is right half of the time."""
    carries = rng.random() < 0.5
    while True:
        a, b, op = rng.randint(1, 99), rng.randint(1, 99), rng.choice("+-")
        problem = Sum(max(a, b), min(a, b), op) if op == "-" else Sum(a, b, op)
        if problem.unseen == test and problem.carries == carries:
            return problem


def wording(problem: Sum, rng: random.Random, *, test: bool = False) -> str:
    forms = PLUS if problem.op == "+" else MINUS
    return forms.pick(rng, test=test).format(a=problem.a, b=problem.b)


def quick(problem: Sum) -> str:
    """The planted bad habit: carries and borrows are forgotten. Right for half of the problems.

    It sets the starting accuracy by design instead of by stopping the training early, and leaves
    online RL something to find: the worked style that the model knows but does not prefer.
    """
    (ta, oa), (tb, ob) = divmod(problem.a, 10), divmod(problem.b, 10)
    sign = 1 if problem.op == "+" else -1
    value = (ta + sign * tb) * 10 + (oa + sign * ob) % 10
    return f"The answer is \\boxed{{{value}}}."


def worked(problem: Sum) -> str:
    (ta, oa), (tb, ob) = divmod(problem.a, 10), divmod(problem.b, 10)
    if problem.op == "+":
        carry = (oa + ob) // 10
        extra = "+1" if carry else ""
        ones, tens = f"{oa}+{ob}={oa + ob}", f"{ta}+{tb}{extra}={ta + tb + carry}"
        return f"Ones: {ones}. Tens: {tens}. \\boxed{{{problem.answer}}}"
    borrow = oa < ob
    ones = f"1{oa}-{ob}={10 + oa - ob}" if borrow else f"{oa}-{ob}={oa - ob}"
    tens = f"{ta}-{tb}-1={ta - tb - 1}" if borrow else f"{ta}-{tb}={ta - tb}"
    return f"Ones: {ones}. Tens: {tens}. \\boxed{{{problem.answer}}}"


def forgetful(problem: Sum) -> str:
    """Worked as well, but what is carried or borrowed never reaches the tens."""
    (ta, oa), (tb, ob) = divmod(problem.a, 10), divmod(problem.b, 10)
    sign = 1 if problem.op == "+" else -1
    borrow = "1" if problem.op == "-" and problem.carries else ""
    ones, tens = int(f"{borrow}{oa}") + sign * ob, ta + sign * tb
    steps = f"Ones: {borrow}{oa}{problem.op}{ob}={ones}. Tens: {ta}{problem.op}{tb}={tens}."
    return f"{steps} \\boxed{{{10 * tens + ones % 10}}}"
