"""Texts that nearly repeat an earlier one: MinHash finds candidates, their shingles decide.

Each text's set of shingles (three words in a row) is sketched by 72 minimal hashes in 12 bands of 6. Two
texts that share 80% of their shingles agree in some band with 97% probability, at 70% with 78%. Every
candidate is then compared by its shingles themselves, so that nothing is called similar that is not.

In memory are 8 bytes for a text and one band at a time; the bands wait in unnamed files.
"""

from __future__ import annotations

import heapq
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rensa import RMinHash

from studio_core.data.words import Hashes, Places

SIMILAR = 0.8
"""Jaccard similarity from which a text counts as a near repetition."""

# See the head of this module: more bands find more and take more of the disk and of time.
BANDS = 12
_IN_BAND = 6
# Any number, the same in every run, so that a report made twice is the same.
_SEED = 7
_KEPT_BYTES = 32 << 20
"""Shingles that are held at once while candidates are compared."""

Pairs = npt.NDArray[np.int64]
Shingles = Callable[[Places], Iterator[tuple[int, Hashes]]]
"""Of these texts, in order: their place and their shingles, sorted and distinct."""


class NearRepeats:
    """Sketches of texts, in order. ``folder`` is where the bands wait."""

    def __init__(self, folder: Path) -> None:
        # Without a name, so that nothing is left behind however the process ends.
        self._bands = [tempfile.TemporaryFile(dir=folder) for _ in range(BANDS)]  # noqa: SIM115
        self._empty: list[npt.NDArray[np.bool_]] = []

    def add(self, shingles: Hashes, offsets: Places) -> None:
        """Sketch the next texts: text ``i`` has ``shingles[offsets[i]:offsets[i + 1]]``."""
        sketches = RMinHash.digest_matrix_from_flat_token_hashes(
            shingles, offsets.astype(np.uint64), BANDS * _IN_BAND, _SEED
        )
        slots = np.array(sketches.to_rows(), np.uint64)
        for band, file in enumerate(self._bands):
            keys = np.zeros(len(slots), np.uint64)
            for slot in range(band * _IN_BAND, (band + 1) * _IN_BAND):
                # The six hashes of a band mixed to one, as splitmix64 does it.
                keys = (keys ^ slots[:, slot]) * np.uint64(0x9E3779B97F4A7C15)
                keys ^= keys >> np.uint64(29)
            # 32 bits suffice: who agrees by chance is only compared for nothing.
            file.write((keys >> np.uint64(32)).astype(np.uint32).tobytes())
        self._empty.append(offsets[1:] == offsets[:-1])

    def repeats(self, leave_out: npt.NDArray[np.bool_], shingles: Shingles) -> Places:
        """For each text the first one of its cluster of near repetitions: itself if it repeats none.

        ``leave_out``: texts that are not compared, such as exact repetitions.
        """
        empty = np.concatenate(self._empty) if self._empty else np.zeros(0, bool)
        candidates = self._candidates(np.flatnonzero(~(leave_out | empty)))
        return _cluster(len(empty), candidates, shingles)

    def _candidates(self, places: Places) -> Pairs:
        """Pairs (text, earlier text) that agree in a band: with the first that does, and with the last."""
        pairs = np.zeros(0, np.int64)
        for file in self._bands:
            file.flush()
            file.seek(0, os.SEEK_SET)
            keys = np.fromfile(file, np.uint32)[places]
            order = np.argsort(keys, kind="stable")
            keys = keys[order]
            same = np.flatnonzero(keys[1:] == keys[:-1]) + 1
            if not len(same):
                continue
            starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
            group = starts[np.searchsorted(starts, same, side="right") - 1]
            texts = places[order]
            # Two of each group and not all pairs, of which a group of a thousand has half a million.
            found = [texts[same] << 32 | texts[group], texts[same] << 32 | texts[same - 1]]
            pairs = np.unique(np.concatenate([pairs, *found]))
        return pairs

    def close(self) -> None:
        for file in self._bands:
            file.close()


def _cluster(count: int, pairs: Pairs, shingles: Shingles) -> Places:
    first = np.arange(count)

    def root(place: int) -> int:
        while first[place] != place:
            # Shortened on the way, so that long chains are walked only once.
            first[place] = first[first[place]]
            place = int(first[place])
        return place

    # Again for those whose earlier text did not fit into memory; at least
    # one does each time, so that it ends.
    while len(pairs):
        waiting: list[int] = []
        for text, earlier in _similar_pairs(pairs, shingles, root, waiting):
            one, other = root(text), root(earlier)
            first[max(one, other)] = min(one, other)
        pairs = np.array(waiting, np.int64)
    while not np.array_equal(first, first[first]):
        first = first[first]
    return first


def _similar_pairs(
    pairs: Pairs, shingles: Shingles, root: Callable[[int], int], waiting: list[int]
) -> Iterator[tuple[int, int]]:
    """The candidates that are similar, in the order of the texts.

    Those for which an earlier text would have to be held beyond the limit of memory go to ``waiting``.
    """
    texts, earlier = pairs >> 32, pairs & 0xFFFFFFFF
    by_earlier = np.argsort(earlier, kind="stable")
    needed, begin = np.unique(earlier[by_earlier], return_index=True)
    last_use = texts[by_earlier][np.append(begin[1:], len(pairs)) - 1]
    held: dict[int, Hashes] = {}
    due: list[tuple[int, int]] = []
    size = 0
    for place, own in shingles(np.union1d(texts, earlier)):
        low, high = np.searchsorted(texts, [place, place + 1])
        # What is in one cluster already is not compared again.
        for before in earlier[low:high].tolist():
            if before not in held:
                waiting.append(place << 32 | before)
            elif root(place) != root(before) and _similar(own, held[before]):
                yield place, before
        while due and due[0][0] <= place:
            size -= _bytes(held.pop(heapq.heappop(due)[1]))
        at = int(np.searchsorted(needed, place))
        if at < len(needed) and needed[at] == place and size < _KEPT_BYTES:
            held[place] = own
            heapq.heappush(due, (int(last_use[at]), place))
            size += _bytes(own)


def _bytes(shingles: Hashes) -> int:
    return shingles.nbytes + 200  # What Python needs to hold an array.


def _similar(one: Hashes, other: Hashes) -> bool:
    """Whether two sorted sets have a Jaccard similarity of at least ``SIMILAR``."""
    # Sets whose sizes differ so much cannot share enough: no comparison.
    if min(len(one), len(other)) < SIMILAR * max(len(one), len(other)):
        return False
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both >= SIMILAR * (len(one) + len(other) - both)
