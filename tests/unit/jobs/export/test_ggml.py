"""ggml's own quantisation beside that of the package ``gguf``: the same bytes."""

from __future__ import annotations

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Type

from jobs.export import ggml
from studio_core.base.errors import StudioError


@pytest.mark.parametrize(
    "type", [type for type in ggml.TYPES if type not in ggml.K_TYPES], ids=lambda type: type.name
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_bytes_are_those_of_the_package(type: Type, dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    # More rows than are taken at once, blocks of nothing, and the smallest and the largest of weights.
    weight = torch.randn(3, 3000, 96).to(dtype)
    weight[0, :7], weight[1, 3], weight[2, 5, :2] = 0, 1e-6, torch.tensor([3e4, -3e4]).to(dtype)
    assert ggml._function() is not None, "the library of xllamacpp has the function"
    made = ggml.quantised(weight, type)
    wanted = gguf.quants.quantize(weight.float().numpy(), type)
    assert made.shape == wanted.shape and made.dtype == np.uint8
    assert np.array_equal(made, wanted)


# Of weights that are normal; what a block of 256 with two scales can hold of them.
ROUNDED = {Type.Q6_K: 0.02, Type.Q5_K: 0.04, Type.Q4_K: 0.08, Type.Q3_K: 0.16, Type.Q2_K: 0.34}


@pytest.mark.parametrize(("type", "most"), ROUNDED.items(), ids=lambda value: getattr(value, "name", ""))
def test_k_quants_come_back_nearly_as_they_were(type: Type, most: float) -> None:
    torch.manual_seed(3)
    weight = torch.randn(2000, 512)
    back = gguf.quants.dequantize(ggml.quantised(weight, type), type)
    off = float(np.sqrt(np.mean((back - weight.numpy()) ** 2)))
    assert most / 3 < off < most


def test_without_the_library_the_package_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = torch.randn(4, 64)
    made = ggml.quantised(weight, Type.Q8_0)
    ggml._function.cache_clear()
    monkeypatch.setattr(ggml.llama_cpp, "library_file", lambda: None)
    assert np.array_equal(ggml.quantised(weight, Type.Q8_0), made)
    with pytest.raises(StudioError, match="pip install xllamacpp"):
        ggml.quantised(torch.randn(4, 256), Type.Q4_K)
    ggml._function.cache_clear()


def test_a_row_that_no_whole_number_of_blocks_fills_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple"):
        ggml.quantised(torch.randn(4, 40), Type.Q8_0)
