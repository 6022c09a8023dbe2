from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio_core.base.errors import BadInput, NotFound, StudioError
from studio_core.base.studio import Studio
from studio_core.base.tables import Model
from studio_core.models import own_code, registry
from studio_core.people.accounts import LOCAL
from tests.unit.studio_core.models.folders import ended_job, model_folder


@pytest.fixture
def base(studio: Studio) -> Model:
    return registry.add(studio, str(model_folder(studio.settings.models / "base")))


def test_a_folder_is_added_once(studio: Studio, base: Model) -> None:
    again = registry.add(studio, base.path + "/", name="other")
    assert again.id == base.id
    assert (base.name, base.kind, base.parameters) == ("base", "base", 320)
    assert base.details["vocab"] == 32


def test_names_stay_unique(studio: Studio, base: Model) -> None:
    other = model_folder(studio.settings.models / "more" / "base")
    assert registry.add(studio, str(other)).name == "base-2"


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b\\c", "x" * 300, "<script>", "\0", "..."])
def test_odd_names_become_plain_ones(studio: Studio, name: str) -> None:
    folder = model_folder(studio.settings.models / "base")
    made = registry.add(studio, str(folder), name=name).name
    assert 0 < len(made) <= 80
    assert not set(made) & set("/\\<>\0")


def test_paths_outside_of_the_roots_are_refused(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    outside = model_folder(tmp_path / "elsewhere")
    link = studio.settings.models / "link"
    link.symlink_to(outside)
    for source in [str(outside), str(link), f"{studio.settings.models}/../../elsewhere", "/etc", "~root"]:
        with pytest.raises(BadInput) as caught:
            registry.add(studio, source)
        assert "outside the folders" in str(caught.value) or "no folder" in str(caught.value)
    assert not registry.all_models(studio)


@pytest.mark.parametrize("source", ["", "  ", "a\0b", "~nobody-here/x"])
def test_sources_that_are_none(studio: Studio, source: str) -> None:
    with pytest.raises(BadInput):
        registry.add(studio, source)


def test_the_hub_without_a_network(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(StudioError) as caught:
        registry.add(studio, "nobody/nothing")
    assert "could not be downloaded" in str(caught.value)
    assert "Check the name and the network" in str(caught.value)
    assert not registry.all_models(studio)


def test_get_by_name_and_by_number(studio: Studio, base: Model) -> None:
    assert registry.get(studio, "base").id == registry.get(studio, base.id).id == base.id
    assert registry.get(studio, str(base.id)).id == base.id
    for wrong in ["nothing", "99", "9" * 40, "²", ""]:
        with pytest.raises(NotFound, match="There is no model"):
            registry.get(studio, wrong)


def test_resolve_adds_a_folder_that_is_named(studio: Studio) -> None:
    folder = model_folder(studio.settings.models / "fresh")
    resolved = registry.resolve(studio, str(folder))
    assert resolved.path == str(folder)
    assert registry.get(studio, "fresh").id == resolved.id


def test_resolve_does_not_download(studio: Studio) -> None:
    with pytest.raises(BadInput, match="is not downloaded yet"):
        registry.resolve(studio, "Qwen/Qwen3-0.6B")


def test_resolve_says_that_files_are_gone(studio: Studio, base: Model) -> None:
    Path(base.path).rename(base.path + "-moved")
    with pytest.raises(BadInput, match="are missing"):
        registry.resolve(studio, "base")


def test_a_model_without_template_gets_the_standard_one(studio: Studio) -> None:
    plain = model_folder(studio.settings.models / "plain", template=False)
    own = model_folder(studio.settings.models / "own")
    assert "messages" in (registry.resolve(studio, str(plain)).chat_template or "")
    assert registry.resolve(studio, str(own)).chat_template is None


def test_trust_is_kept_with_the_model(studio: Studio) -> None:
    folder = model_folder(studio.settings.models / "code", auto_map={"AutoModel": "m.X"})
    with pytest.raises(BadInput, match="its own Python code"):
        registry.add(studio, str(folder))
    registry.add(studio, str(folder), own_code=own_code.consent(studio, str(folder), LOCAL))
    assert registry.resolve(studio, "code").trust_remote_code


def test_results_and_their_lineage(studio: Studio, base: Model) -> None:
    job, result = ended_job(studio, base, "full")
    full = registry.register_result(studio, job, result)
    assert (full.name, full.kind, full.parent_id) == ("sft-base", "full", base.id)
    assert registry.register_result(studio, job, result).id == full.id

    job, result = ended_job(studio, full, "adapter")
    adapter = registry.register_result(studio, job, result)
    assert adapter.name == "sft-base-2"
    job, result = ended_job(studio, adapter, "adapter", name="third")
    third = registry.register_result(studio, job, result)

    resolved = registry.resolve(studio, "third")
    assert (resolved.path, resolved.adapter) == (full.path, third.path)
    history = registry.lineage(studio, third)
    assert [a.model.name for a in history] == ["third", "sft-base-2", "sft-base", "base"]
    assert [a.dataset for a in history] == ["sums@2"] * 3 + [None]
    assert [m.name for m in registry.all_models(studio)] == ["base", "third", "sft-base-2", "sft-base"]


def test_what_scores_answers_is_not_asked_for_any(studio: Studio, base: Model) -> None:
    job, result = ended_job(studio, base, "full", name="judge-of-tone")
    config = Path(str(job.run_dir)) / "model" / "config.json"
    config.write_text(config.read_text().replace("LlamaForCausalLM", "LlamaForSequenceClassification"))
    made = registry.register_result(studio, job, result)
    brought = registry.add(
        studio,
        str(model_folder(studio.settings.models / "rm", architectures=["Qwen3ForSequenceClassification"])),
    )
    assert registry.scores(made) and registry.scores(brought) and not registry.scores(base)
    assert [model.name for model in registry.writers(studio)] == ["base"]
    assert len(registry.all_models(studio)) == 3
    assert registry.resolve(studio, made.id, scoring=True).adapter is None
    with pytest.raises(BadInput, match="rm is a reward model: it scores answers and generates none"):
        registry.resolve(studio, "rm")


def test_a_result_outside_of_its_run_is_refused(studio: Studio, base: Model) -> None:
    job, result = ended_job(studio, base, "full")
    for folder in ["..", "/etc", "nowhere"]:
        with pytest.raises(BadInput, match="outside the run's folder"):
            registry.register_result(studio, job, {**result, "model": folder})


class TestDemoModels:
    @pytest.fixture
    def bundled(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        for name in registry.DEMO_MODELS:
            model_folder(tmp_path / "static" / "models" / name)
        monkeypatch.setattr(registry, "bundled_folder", lambda: tmp_path / "static")
        return tmp_path / "static"

    def test_listed_once_and_then_at_no_cost(
        self, studio: Studio, bundled: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        registry.ensure_demo_models(studio)
        monkeypatch.setattr(registry, "inspect", lambda folder: pytest.fail(f"{folder} is inspected again"))
        registry.ensure_demo_models(studio)
        models = registry.all_models(studio)
        assert [(m.name, m.source, m.kind) for m in models] == [
            (n, "demo", "base") for n in registry.DEMO_MODELS
        ]

    def test_they_follow_the_installation(self, studio: Studio, bundled: Path, tmp_path: Path) -> None:
        registry.ensure_demo_models(studio)
        bundled.rename(tmp_path / "moved")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(registry, "bundled_folder", lambda: tmp_path / "moved")
            registry.ensure_demo_models(studio)
        path = registry.resolve(studio, "tiny-base").path
        assert path == str(tmp_path / "moved" / "models" / "tiny-base")

    def test_a_model_of_the_user_with_that_name_stays(self, studio: Studio, bundled: Path) -> None:
        own = registry.add(studio, str(model_folder(studio.settings.models / "tiny-base")))
        registry.ensure_demo_models(studio)
        assert registry.get(studio, "tiny-base").path == own.path

    def test_absent_ones_are_left_out(
        self, studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(registry, "bundled_folder", lambda: tmp_path)
        registry.ensure_demo_models(studio)
        assert not registry.all_models(studio)


def test_config_of_a_folder_is_read_again_when_added_again(studio: Studio, base: Model) -> None:
    config = json.loads((Path(base.path) / "config.json").read_text())
    (Path(base.path) / "config.json").write_text(json.dumps({**config, "vocab_size": 64}))
    assert registry.add(studio, base.path).details["vocab"] == 64
