"""Operations on data from the command line, through a real engine and worker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio_core.base.studio import open_studio
from studio_core.curation.parts import normalised, prompt_of
from studio_core.data import store, versions
from tests.integration.test_cli import Studio, write_lines


@pytest.fixture(scope="module")
def cli(
    tmp_path_factory: pytest.TempPathFactory, prepared_app: str, prepared_python: str
) -> Iterator[Studio]:
    studio = Studio(tmp_path_factory.mktemp("curation") / "home", prepared_app, prepared_python)
    yield studio
    studio.end()


def test_filter_mask_split_mix_and_edit_make_a_chain_of_versions(cli: Studio, tmp_path: Path) -> None:
    rows = [
        {"prompt": f"Question {n // 2} of user{n}@example.org", "completion": "yes" if n % 5 else ""}
        for n in range(60)
    ]
    for n in range(0, 60, 10):
        rows[n] = {"prompt": f"Question {n}", "completion": "This one is long enough to be left out " * 3}
    cli.json("data", "import", write_lines(tmp_path / "talk.jsonl", rows))

    filtered = cli.json("data", "filter", "talk", "--max-characters", "80", "--not-matching", "Question 7 ")
    assert filtered["state"] == "succeeded"
    assert filtered["datasets"] == [
        {"dataset": "talk", "version": 2, "shape": "prompt-completion", "rows": 47}
    ]
    assert filtered["counts"] == {"dropped": 7, "kept": 47}
    assert filtered["details"]["reasons"] == {"too_long": 6, "found": 1}

    masked = cli.json(
        "data", "mask", "talk@2", "--kinds", "email", "--replacement", "<{kind}>", "--to", "masked"
    )
    assert masked["counts"] == {"kept": 47, "changed": 47, "email": 47}

    split = cli.json("data", "split", "masked", "--share", "0.3")
    assert [made["dataset"] for made in split["datasets"]] == ["masked-train", "masked-held-out"]
    assert sum(made["rows"] for made in split["datasets"]) == 47

    mixed = cli.json(
        "data", "mix", "masked-train", "masked-held-out", "--weights", "1 1", "--n", "20", "--to", "m"
    )
    assert mixed["counts"] == {"masked-train@1": 10, "masked-held-out@1": 10}

    changes = tmp_path / "changes.json"
    changes.write_text(json.dumps([{"row": 1, "record": None}, {"row": 20, "record": None}]))
    edited = cli.json("data", "edit", "m", "--changes", f"@{changes}")
    assert edited["datasets"][0] == {"dataset": "m", "version": 2, "shape": "prompt-completion", "rows": 18}

    studio = open_studio(home=cli.home)
    made = versions.get(studio, "m")
    names = []
    while made.parents:
        names.append(f"{made.name}@{made.version} {made.operation}")
        made = versions.get(studio, made.parents[0])
    assert names == ["m@2 edit", "m@1 mix", "masked-train@1 split", "masked@1 mask", "talk@2 filter"]
    assert (made.name, made.version, made.rows) == ("talk", 1, 54)
    sides = [
        {
            normalised(prompt_of(record))
            for record in store.records(studio, versions.get(studio, name), 0, 100)
        }
        for name in ("masked-train", "masked-held-out")
    ]
    assert not sides[0] & sides[1]
    studio.close()


def test_what_cannot_be_done_is_said_in_one_sentence(cli: Studio) -> None:
    assert "is not a valid regular expression" in cli.refused(
        "data", "filter", "tiny-sft-chat", "--matching", "("
    )
    assert "must be numbers" in cli.refused("data", "mix", "tiny-sft-chat", "--weights", "much")
