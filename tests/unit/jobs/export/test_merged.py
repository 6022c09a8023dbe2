from __future__ import annotations

from pathlib import Path

from jobs.export.merged import copy
from studio_core.runs import run_folder


def test_of_a_checkpoint_the_model_is_copied_and_not_what_its_training_goes_on_with(tmp_path: Path) -> None:
    source, folder = tmp_path / "checkpoint-20", tmp_path / "export"
    source.mkdir()
    folder.mkdir()
    model = ("adapter_config.json", "adapter_model.safetensors", "chat_template.jinja", "tokenizer.json")
    for name in (*model, "trainer_state.json", "best.json", "optimizer.pt", "training_args.bin"):
        (source / name).write_text("{}")
    run_folder.write_manifest(source, 20)
    copy(source, folder)
    assert sorted(file.name for file in folder.iterdir()) == sorted(model)
