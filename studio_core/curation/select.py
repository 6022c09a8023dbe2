"""Few records, good ones, and of many kinds: a score for each, and a choice that keeps the prompts diverse.

As in the studies on small instruction sets: prompts are grouped by the words that they have in common, and
of each group the best are taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Literal
from zlib import crc32

import numpy as np
import numpy.typing as npt

from studio_core.base.errors import BadInput
from studio_core.curation import columns, features, parts
from studio_core.curation.base import Operation, OperationOptions, Work
from studio_core.curation.sample import quotas
from studio_core.data.columns import number
from studio_core.data.words import words
from studio_core.options import option

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]

LEARNT_FROM = 20_000
"""Prompts, spread over the dataset, from which the groups are learnt."""
BUCKETS = 1 << 12
"""Words and pairs of words fall into so many; more tell prompts apart better and need more memory."""
GROUPS = (2, 256)


class SelectOptions(OperationOptions):
    n: int = option(1000, at_least=1, at_most=100_000_000, unit="records", advanced=False)
    spread: Literal["even", "proportional", "none"] = option("even", advanced=False)
    min_score: float = option(0.5, at_least=-1_000_000.0, at_most=1_000_000.0, advanced=False)
    score: str = option("", choices_of="columns")
    groups: int = option(0, at_least=0, at_most=GROUPS[1])


def run(work: Work, options: SelectOptions) -> None:
    work.passes = 3
    scores, repeats = _scores(work, options)
    good = scores >= options.min_score
    group = _groups(work, options)
    order = np.random.default_rng(work.seed).permutation(len(scores))
    chosen = choice(scores, group, good & ~repeats, options, order)
    before, after = Phrases(), Phrases()
    output = work.output()
    for row, record in work.each():
        prompt = words(parts.prompt_of(record))
        before.add(prompt)
        if chosen[row - 1]:
            after.add(prompt)
            output.add(record, row)
            work.count("kept")
        else:
            place = row - 1
            work.drop("near_duplicate" if repeats[place] else "not_chosen" if good[place] else "score")
    has_score = np.isfinite(scores)
    work.details["coverage"] = {
        "groups": [len(np.unique(group)), len(np.unique(group[chosen]))],
        "phrases": [before.count(), after.count()],
        "score": [_mean(scores[has_score]), _mean(scores[has_score & chosen])],
    }


def _mean(scores: Floats) -> float | None:
    return round(float(scores.mean()), 4) if len(scores) else None


def _scores(work: Work, options: SelectOptions) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The score of each record, and whether it repeats an earlier one."""
    source = work.source
    column = options.score or "quality"
    own = column in columns.of(source)
    # A column of the records comes first: one that is called as a feature is theirs.
    names = list(dict.fromkeys([*([] if own else columns.needed(source, column)), "duplicate_of"]))
    # No score is the worst: it is chosen only where nothing is asked of scores.
    scores = np.full(source.rows, -np.inf, np.float32)
    repeats = np.zeros(source.rows, bool)
    for batch in features.beside(work, names):
        for row, record, features_ in batch:
            score = number(columns.value(column, record, features_))
            scores[row - 1] = -np.inf if score is None else score
            repeats[row - 1] = features_["duplicate_of"] is not None
    work.go_on()
    if np.isneginf(scores).all():
        raise BadInput("curation.no_scores", column=column)
    return scores, repeats


def _groups(work: Work, options: SelectOptions) -> Places:
    """For each record the number of the group of its prompt: k-means over the words that tell prompts apart."""
    if options.spread == "none":
        return np.zeros(work.source.rows, np.int64)
    # Only here: they take seconds to load.
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from threadpoolctl import threadpool_limits

    # By hash, so that no vocabulary has to be gathered first or kept.
    vectors = HashingVectorizer(analyzer=_terms, n_features=BUCKETS, alternate_sign=False)
    # Sublinear: a word that comes ten times does not tell ten times as much.
    weights = TfidfTransformer(sublinear_tf=True)
    reduced = weights.fit_transform(vectors.transform(_spread_out(work)))
    # Some two records of each group are taken then, of four that would be there: room to choose, and breadth.
    count = options.groups or round(min(work.source.rows, options.n * 4) ** 0.5)
    count = min(max(count, GROUPS[0]), GROUPS[1], reduced.shape[0])
    # Three starts, of which the best stays: one alone may put two unlike topics together.
    means = MiniBatchKMeans(count, random_state=work.seed, n_init=3, batch_size=2048)
    groups = np.zeros(work.source.rows, np.int64)
    with threadpool_limits(1):  # Several threads add up in any order, and the choice would vary.
        means.fit(reduced)
        for batch in work.batches():
            prompts = [parts.prompt_of(record) for _, record in batch]
            rows = slice(batch[0][0] - 1, batch[-1][0])
            groups[rows] = means.predict(weights.transform(vectors.transform(prompts)))
    work.go_on()
    return groups


def _terms(text: str) -> list[str]:
    """The words of a prompt and its pairs of words."""
    terms = words(text)
    return [*terms, *map(" ".join, pairwise(terms))]


def _spread_out(work: Work) -> Iterator[str]:
    """Prompts from all over the dataset, as many as one learns from."""
    # Rounded up: never more than are learnt from.
    every = -(-work.source.rows // LEARNT_FROM)
    for record in islice(work.source.records(), 0, None, every):
        work.go_on()
        yield parts.prompt_of(record)


def choice(
    scores: Floats, group: Places, may: npt.NDArray[np.bool_], options: SelectOptions, order: Places
) -> npt.NDArray[np.bool_]:
    """Which records are taken: of each group the best first; ``order`` decides between equals."""
    places = np.flatnonzero(may)
    by_group = places[np.lexsort((order[places], -scores[places], group[places]))]
    sizes = np.bincount(group[by_group], minlength=int(group.max()) + 1)
    rank = np.arange(len(by_group)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    wanted = min(options.n, len(by_group))
    chosen = np.zeros(len(scores), bool)
    if options.spread == "proportional" and wanted:
        shares = quotas({number: float(size) for number, size in enumerate(sizes.tolist())}, wanted)
        room = np.array([shares[number] for number in range(len(sizes))])
        chosen[by_group[rank < room[group[by_group]]]] = True
    else:
        # The best of each group, then the second best of each, until there are enough.
        in_turn = by_group[np.lexsort((order[by_group], -scores[by_group], rank))]
        if options.spread == "none":
            in_turn = by_group
        chosen[in_turn[:wanted]] = True
    return chosen


class Phrases:
    """How many different phrases of three words there are, closely, in two megabytes whatever comes."""

    _BITS = 1 << 24

    def __init__(self) -> None:
        self._seen = bytearray(self._BITS >> 3)

    def add(self, prompt: list[str]) -> None:
        for place in range(max(1, len(prompt) - 2)):
            number = crc32(" ".join(prompt[place : place + 3]).encode()) % self._BITS
            self._seen[number >> 3] |= 1 << (number & 7)

    def count(self) -> int:
        empty = self._BITS - int.from_bytes(self._seen).bit_count()
        # Linear counting: from the share of bits that are still empty to how many different ones were thrown in.
        return round(-self._BITS * math.log(max(empty, 1) / self._BITS))


SELECT = Operation(name="select", Options=SelectOptions, run=run, by_record=False, group="choose")
