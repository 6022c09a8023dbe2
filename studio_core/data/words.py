"""Texts as words, and words as numbers: what comparing millions of records is done with.

A word is a run of letters and digits in lower case; each character of a script that writes no spaces
(Chinese, Japanese, Korean) is a word of its own. So three words in a row (a shingle) are a useful unit
in English and in Chinese.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
# Three in a row: two are common phrases, four miss what differs in every fourth word.
SHINGLE = 3

_ASCII = re.compile(r"[a-z0-9]+")
_ANY = re.compile(rf"[{CJK}]|[^\W_{CJK}]+")
# Words: more than a text's common ones. Emptied and not trimmed, since the frequent ones are back at once.
_MOST_KNOWN = 200_000


def words(text: str) -> list[str]:
    text = text.lower()
    return (_ASCII if text.isascii() else _ANY).findall(text)


class _Table(dict[str, int]):
    """Word -> 64 bits that are the same on every machine and every day; each word is hashed once."""

    def __missing__(self, word: str) -> int:
        if len(self) > _MOST_KNOWN:
            self.clear()
        # Python's own hash differs from run to run; 64 bits never meet by
        # chance among the words of a dataset.
        number = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())
        self[word] = number
        return number


_TABLE = _Table()


class Words:
    """The words of many texts in one array of hashes: text ``i`` is ``hashes[starts[i]:starts[i + 1]]``."""

    def __init__(self, texts: Sequence[list[str]]) -> None:
        counts = np.fromiter(map(len, texts), np.int64, len(texts))
        self.starts: Places = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        flat = chain.from_iterable(texts)
        self.hashes: Hashes = np.fromiter(map(_TABLE.__getitem__, flat), np.uint64, int(self.starts[-1]))
        self._by_length: dict[int, Hashes] = {}

    def windows(self, length: int) -> Hashes:
        """A hash of the ``length`` words that begin at each place; the last places have none."""
        if length not in self._by_length:
            self._by_length[length] = _rolling_hashes(self.hashes, length)
        return self._by_length[length]

    def grams(
        self, starts: Places, ends: Places, length: int, *, short: bool = False
    ) -> tuple[Hashes, Places]:
        """All runs of ``length`` words inside each stretch, flat, and where each stretch's begin.

        ``short``: a stretch with fewer words than that gives the one run that it has.
        """
        sizes = ends - starts
        counts = np.maximum(sizes - length + 1, 0)
        if short:
            counts = np.where((sizes > 0) & (sizes < length), 1, counts)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        total = int(offsets[-1])
        places = np.arange(total) - np.repeat(offsets[:-1] - starts, counts)
        rolled = self.windows(length)
        made = np.zeros(total, np.uint64)
        inside = places < len(rolled)
        made[inside] = rolled[places[inside]]
        if short:
            for size in range(1, length):
                of_size = np.flatnonzero(sizes == size)
                made[offsets[of_size]] = self.windows(size)[starts[of_size]]
        return made, offsets


def _rolling_hashes(hashes: Hashes, length: int) -> Hashes:
    count = max(len(hashes) - length + 1, 0)
    made = np.full(count, length, np.uint64)
    for place in range(length):
        # The golden ratio in 64 bits, odd, so that no word is lost by multiplying.
        made = made * np.uint64(0x9E3779B97F4A7C15) + hashes[place : place + count]
    # Mixed, so that every bit depends on every word (the finalizer of SplitMix64).
    made = (made ^ (made >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    made = (made ^ (made >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return made ^ (made >> np.uint64(31))
