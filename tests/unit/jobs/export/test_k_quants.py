"""Which tensors of a K-quant keep how many bits."""

from __future__ import annotations

from collections import Counter

import pytest
from gguf import GGMLQuantizationType as Type

from jobs.export.k_quants import base_of, type_of
from studio_core.exports.gguf import K_QUANTS


def mixture(recipe: str, part: str, layers: int = 16, groups: int = 1) -> list[str]:
    return [type_of(f"blk.{n}.{part}.weight", 512, recipe, layers, groups, False).name for n in range(layers)]


def test_of_four_bits_half_of_the_values_and_of_the_way_down_keep_six() -> None:
    # The first two and the last two of sixteen, and every third between.
    finer = {0, 1, 4, 7, 10, 13, 14, 15}
    wanted = ["Q6_K" if layer in finer else "Q4_K" for layer in range(16)]
    assert mixture("Q4_K_M", "attn_v") == mixture("Q4_K_M", "ffn_down") == wanted
    assert {*mixture("Q4_K_M", "attn_q"), *mixture("Q4_K_M", "ffn_up")} == {"Q4_K"}
    assert Counter(mixture("Q4_K_S", "attn_v")) == {"Q5_K": 4, "Q4_K": 12}
    assert Counter(mixture("Q4_K_S", "ffn_down")) == {"Q5_K": 2, "Q4_K": 14}


def test_of_three_and_two_bits_most_keep_more() -> None:
    assert Counter(mixture("Q3_K_M", "attn_v")) == {"Q5_K": 2, "Q4_K": 14}
    assert {*mixture("Q3_K_L", "attn_output"), *mixture("Q3_K_L", "attn_v")} == {"Q5_K"}
    assert {*mixture("Q3_K_S", "attn_v"), *mixture("Q3_K_S", "ffn_down")} == {"Q3_K"}
    assert {*mixture("Q2_K", "attn_v")} == {"Q3_K"} and {*mixture("Q2_K", "attn_v", groups=4)} == {"Q4_K"}


@pytest.mark.parametrize("recipe", K_QUANTS)
def test_what_decides_every_word_keeps_six_bits(recipe: str) -> None:
    assert type_of("output.weight", 512, recipe, 4, 1, False) == Type.Q6_K
    assert type_of("token_embd.weight", 512, recipe, 4, 1, True) == Type.Q6_K
    assert type_of("token_embd.weight", 512, recipe, 4, 1, False) == base_of(recipe)


def test_rows_that_no_whole_number_of_blocks_fills_take_small_blocks() -> None:
    kept = {
        "Q2_K": Type.Q4_0,
        "Q3_K_S": Type.Q4_0,
        "Q4_K_M": Type.Q5_0,
        "Q5_K_M": Type.Q5_1,
        "Q6_K": Type.Q8_0,
    }
    for recipe, type in kept.items():
        assert type_of("blk.2.ffn_up.weight", 320, recipe, 16, 1, False) == type
