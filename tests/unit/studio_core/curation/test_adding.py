"""Ways for data to come in, without a page: paths of this computer, pasted text, typed tables."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio, open_studio
from studio_core.base.tables import Chat, ChatRound
from studio_core.chat import chat_exports
from studio_core.chat.chats import ChatSettings
from studio_core.curation import adding
from studio_core.curation.adding import Brought
from studio_core.data import store, uploads
from studio_core.data.store import Imported
from studio_core.models import registry


@pytest.fixture
def rooted(tmp_path: Path) -> Studio:
    """A studio that may read below ``tmp_path/data`` only."""
    (tmp_path / "data").mkdir()
    return open_studio(home=tmp_path / "home", model_roots=str(tmp_path / "data"))


def write(path: Path, *prompts: str) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("".join(json.dumps({"prompt": p, "completion": "a"}) + "\n" for p in prompts))
    return path


def test_files_and_folders_of_this_computer(rooted: Studio, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "all"
    write(folder / "a.jsonl", "1", "2")
    write(folder / "below" / "b.jsonl", "3")
    (folder / "c.jsonl.gz").write_bytes(gzip.compress(b'{"prompt": "4", "completion": "a"}\n'))
    (folder / "README.md").write_text("about")
    sizes = adding.data_files(rooted, str(folder))
    assert list(sizes) == ["a.jsonl", "below/b.jsonl", "c.jsonl.gz"] and sizes["below/b.jsonl"] == 35
    assert adding.inspect(rooted, Brought(paths=[str(folder)])).good == 4
    made = adding.bring_in(
        rooted, Brought(paths=[f"{folder}/a.jsonl", f"{folder}/below/b.jsonl"]), name="two"
    )
    assert isinstance(made, Imported) and made.dataset.rows == 3
    assert (folder / "a.jsonl").exists(), "what was not uploaded stays"


def test_paths_outside_of_the_roots_are_refused_before_anything_is_said_of_them(
    rooted: Studio, tmp_path: Path
) -> None:
    secret = write(tmp_path / "secret.jsonl", "s")
    (tmp_path / "data" / "link.jsonl").symlink_to(secret)
    outside = [str(secret), "/etc/passwd", "/nowhere", f"{tmp_path}/data/../secret.jsonl", "", "~root/x"]
    for path in (*outside, str(tmp_path / "data" / "link.jsonl")):
        for ask in (adding.on_this_computer, adding.data_files):
            with pytest.raises(BadInput, match=r"is outside the folders|cannot be read"):
                ask(rooted, path)
    with pytest.raises(BadInput, match="is outside"):
        adding.inspect(rooted, Brought(paths=[str(secret)]))
    with pytest.raises(BadInput, match="cannot be read"):
        adding.on_this_computer(rooted, str(tmp_path / "data" / "nothing"))
    for path in (rooted.settings.home, rooted.settings.database):
        with pytest.raises(BadInput, match="Tunesmith's own folder"):
            adding.on_this_computer(rooted, str(path))


def test_links_in_a_folder_are_not_followed_out_of_it(rooted: Studio, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "all"
    write(folder / "a.jsonl", "1")
    (folder / "out.jsonl").symlink_to(write(tmp_path / "secret.jsonl", "s"))
    os.mkfifo(folder / "pipe.jsonl")
    assert list(adding.data_files(rooted, str(folder))) == ["a.jsonl"]
    assert adding.inspect(rooted, Brought(paths=[str(folder)])).good == 1


@pytest.mark.parametrize(
    ("text", "format", "rows"),
    [
        ('{"prompt": "q", "completion": "a"}\n{"prompt": "r", "completion": "b"}', "jsonl", 2),
        ('{"prompt": "q", "completion": "a"}', "jsonl", 1),
        ('[\n {"prompt": "q", "completion": "a"}\n]', "json", 1),
        ("prompt,completion\nq,a\nr,b", "csv", 2),
        ("prompt;completion\nq;a\nr;b", "csv", 2),
        ("prompt\tcompletion\nq\ta", "tsv", 1),
        ("Once, in a far land, there was a bird.\n\nIt sang, and all who heard it wept.\n", "text", 2),
        ("Only one line", "text", 1),
    ],
)
def test_pasted_text_is_understood(studio: Studio, text: str, format: str, rows: int) -> None:
    seen = adding.inspect(studio, adding.pasted(studio, text))
    assert (seen.format, seen.good) == (format, rows)


def test_text_that_is_none_or_too_long(studio: Studio) -> None:
    with pytest.raises(BadInput, match="There is no text"):
        adding.pasted(studio, " \n")
    with pytest.raises(BadInput, match="limit for pasting is 4 MB"):
        adding.pasted(studio, "x" * (adding.LONGEST_PASTE + 1))
    assert uploads.uploads(studio.settings) == []


def test_a_typed_table(studio: Studio) -> None:
    rows = [["q", "yes", "no"], ["", None, " "], ["r", "=1+1", "<b>"]]
    seen = adding.inspect(studio, adding.typed(studio, ["prompt", "chosen", "rejected"], rows))
    assert (seen.shape, seen.good, seen.source) == ("preference", 2, "typed.jsonl")
    with pytest.raises(BadInput, match="All rows are empty"):
        adding.typed(studio, ["prompt"], [[""], [None]])


def test_conversations_are_made_a_dataset(studio: Studio) -> None:
    with pytest.raises(BadInput, match="No conversation with"):
        chat_exports.chats_to_dataset(studio)
    registry.ensure_demo_models(studio)
    model = registry.get(studio, "tiny-chat").id
    settings = {**ChatSettings().model_dump(), "order": [0]}
    answer = {
        "model": model,
        "name": "tiny-chat",
        "answer": "Hi.",
        "tokens": 1,
        "seconds": 0.1,
        "state": "stop",
    }
    with studio.db.write() as session:
        for title in ("one", "two"):
            chat = Chat(title=title, models=[model], settings=settings)
            session.add(chat)
            session.flush()
            session.add(
                ChatRound(chat_id=chat.id, number=1, prompt=title, answers=[answer], settings=settings)
            )
    dataset = chat_exports.chats_to_dataset(studio)
    assert (dataset.name, dataset.rows, dataset.shape) == ("chats", 2, "chat")
    assert store.records(studio, dataset)[0]["messages"][-1]["content"] == "Hi."
    assert chat_exports.chats_to_dataset(studio).id == dataset.id
