"""The folder: rows as the trainer reads them, the script, three rendered rows; whole or not there."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from studio_core import training
from studio_core.base.errors import BadInput, Conflict
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset
from studio_core.handover import TRAINERS, named
from studio_core.handover.writing import hand_over
from studio_core.runs import queue
from tests.unit.studio_core.training.runs import chat, imported, spec


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def handed(studio: Studio, folder: Path, trainer: str, **given: Any) -> Path:
    job = training.submit(studio, spec(model="tiny-chat", **given))
    hand_over(studio, job.id, named(trainer), folder / trainer)
    return folder / trainer


def test_a_folder_has_all_that_a_start_needs(studio: Studio, sums: Dataset, tmp_path: Path) -> None:
    folder = handed(studio, tmp_path, "axolotl", tuning="lora", options={"eval_share": 0.2})
    train, held_out = (lines(folder / "data" / f"{name}.jsonl") for name in ("train", "held_out"))
    assert (len(train), len(held_out)) == (32, 8)
    assert train[0]["messages"][0] == {"role": "system", "content": "Count."}
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert (config["adapter"], config["test_datasets"][0]["path"]) == ("lora", "data/held_out.jsonl")
    rendered = json.loads((folder / "rendered.json").read_text())
    assert len(rendered) == 3 and train[0]["messages"][1]["content"] in rendered[0]["text"]
    assert 0 < rendered[0]["trained"] < rendered[0]["tokens"][0]
    about = json.loads((folder / "handover.json").read_text())
    assert (about["base"], about["spec"]["dataset"]) == ("tiny-chat", "sums@1")
    assert "axolotl 0.19.0" in (folder / "README.md").read_text()


@pytest.mark.parametrize("trainer", [*TRAINERS])
def test_the_script_is_a_program_of_the_shell(
    studio: Studio, sums: Dataset, tmp_path: Path, trainer: str
) -> None:
    folder = handed(studio, tmp_path, trainer, tuning="lora")
    assert subprocess.run(["bash", "-n", folder / "run.sh"], check=False).returncode == 0
    script = (folder / "run.sh").read_text().replace("\\\n", " ")
    # Paths are whole, whatever folder the words are read in.
    words = [word.replace("'", "").replace("$PWD/", "") for word in shlex.split(script.splitlines()[-1])]
    assert trainer not in ("openrlhf", "verl") or script.count("$PWD") > 2
    assert 'CUDA_VISIBLE_DEVICES:-0}" NPROC_PER_NODE=1' in script
    assert words[-1] == "$@" and len(words) > 2 and (folder / "run.sh").stat().st_mode & 0o100
    named_files = [word for word in words if "data/" in word]
    assert all(
        (folder / word.partition("=")[2] if "=" in word else folder / word).exists() for word in named_files
    )


def test_verl_reads_parquet(studio: Studio, sums: Dataset, tmp_path: Path) -> None:
    folder = handed(studio, tmp_path, "verl")
    rows = pq.read_table(folder / "data" / "train.parquet").to_pylist()
    assert rows[3]["messages"][-1] == {"role": "assistant", "content": "It is 6."}


def test_pairs_in_the_form_of_each(studio: Studio, pairs: Dataset, tmp_path: Path) -> None:
    def first(trainer: str) -> dict[str, Any]:
        return lines(handed(studio, tmp_path, trainer, method="dpo", dataset="pairs") / "data/train.jsonl")[0]

    user, good = {"role": "user", "content": "Name 0?"}, {"role": "assistant", "content": "I am 0."}
    bad = {"role": "assistant", "content": "No."}
    assert first("axolotl") == {"messages": [user], "chosen": good, "rejected": bad}
    assert first("openrlhf") == {"prompt": [user], "chosen": [good], "rejected": [bad]}
    swift = first("ms-swift")
    assert (swift["messages"], swift["rejected_response"]) == ([user, good], "No.")
    factory = first("llama-factory")
    assert factory["chosen"] == {"from": "gpt", "value": "I am 0."}
    info = json.loads((tmp_path / "llama-factory/data/dataset_info.json").read_text())["train"]
    assert info["ranking"] is True and set(info["columns"].values()) <= factory.keys()


def test_answers_within_a_prompt_are_not_learnt(studio: Studio, tmp_path: Path) -> None:
    rows = [
        {"prompt": [*chat("Hello", f"Hello {n}")["messages"], {"role": "user", "content": "And?"}],
         "completion": [{"role": "assistant", "content": "That is all."}]}
        for n in range(20)
    ]  # fmt: skip
    imported(studio, "sums", rows, tmp_path)
    axolotl = lines(handed(studio, tmp_path, "axolotl") / "data/train.jsonl")[0]["messages"]
    assert [turn.get("train", True) for turn in axolotl] == [True, False, True, True]
    swift = lines(handed(studio, tmp_path, "ms-swift") / "data/train.jsonl")[0]["messages"]
    assert [turn.get("loss", True) for turn in swift] == [True, False, True, True]
    factory = yaml.safe_load((handed(studio, tmp_path, "llama-factory") / "config.yaml").read_text())
    assert factory["mask_history"] is True
    # It learns every answer of a row and knows no mark: none of these fits.
    with pytest.raises(BadInput) as caught:
        handed(studio, tmp_path, "verl")
    assert "not trained on" in caught.value.sentence() and not (tmp_path / "verl").exists()


def test_rows_that_do_not_fit_are_counted(studio: Studio, tmp_path: Path) -> None:
    marked = chat("Hello", "Hi")
    marked["messages"][1]["train"] = False
    marked["messages"] += chat("And?", "Yes.")["messages"]
    imported(studio, "sums", [marked, *[chat(f"Say {n}", f"{n}") for n in range(30)]], tmp_path)
    job = training.submit(studio, spec(model="tiny-chat"))
    written = hand_over(studio, job.id, named("openrlhf"), tmp_path / "there")
    assert written.left_out == {"not_learnt": 1} and written.rows == {"train.jsonl": 30}
    assert "messages that are not trained on: 1" in (tmp_path / "there" / "README.md").read_text()


def test_nothing_is_written_over(studio: Studio, sums: Dataset, tmp_path: Path) -> None:
    job = training.submit(studio, spec(model="tiny-chat"))
    (tmp_path / "there").mkdir()
    with pytest.raises(Conflict):
        hand_over(studio, job.id, named("axolotl"), tmp_path / "there")
    with pytest.raises(BadInput, match="Create it first"):
        hand_over(studio, job.id, named("axolotl"), tmp_path / "no" / "there")


def test_only_trainings_are_handed_over(studio: Studio, sums: Dataset, tmp_path: Path) -> None:
    job = queue.submit(studio, kind="merge", name="one", spec={})
    with pytest.raises(BadInput, match="is not a training"):
        hand_over(studio, job.id, named("axolotl"), tmp_path / "there")
