"""The list of open models: that its figures agree with each other."""

from __future__ import annotations

import pytest

from studio_core.models.architectures import supported
from studio_core.models.catalogue import PURPOSES, OpenModel, catalogue, for_purpose


@pytest.mark.parametrize("model", catalogue(), ids=lambda model: model.name)
def test_parameters_agree_with_the_shape(model: OpenModel) -> None:
    assert model.counted == pytest.approx(model.parameters, rel=0.03)
    assert model.heads % model.key_value_heads == 0
    assert model.size.key_values <= model.heads * model.head_dim


def test_each_is_there_once_the_smallest_first() -> None:
    names = [model.name.lower() for model in catalogue()]
    assert len(names) == len(set(names)) >= 30
    sizes = [model.parameters for model in catalogue()]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_there_are_some_for_each_purpose(purpose: str) -> None:
    some = for_purpose(purpose)
    assert len(some) >= 3 and all(purpose in model.purposes for model in some)


def test_terms_of_meta_and_google_are_to_be_accepted() -> None:
    for model in catalogue():
        if model.name.startswith(("meta-llama/", "google/gemma")):
            assert model.gated and model.licence.startswith(("llama", "gemma"))


def test_architectures_are_those_of_the_installed_transformers() -> None:
    for name in (
        "Qwen3ForCausalLM",
        "llama",
        "Gemma3ForCausalLM",
        "Olmo2ForCausalLM",
        "Qwen2ForSequenceClassification",
    ):
        assert supported(name)
    assert supported("NoSuchForCausalLM") is False
