"""Paths that lead where they should not: what the studio's user can read is not for everybody who may name a path."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from studio_core.base.errors import BadInput, StudioError
from studio_core.base.files import Reach, open_plain
from studio_core.base.settings import bundled_folder, load
from studio_core.base.studio import Studio, open_studio
from studio_core.curation import adding
from studio_core.curation.adding import Brought
from studio_core.data import store, tokenized
from studio_core.data.shapes import Shape
from studio_core.generation import services
from studio_core.models import registry
from studio_core.people.reach import reach
from studio_core.runs.spec import ResolvedModel
from tests.people import add_all, cheap_hashes
from tests.unit.studio_core.models.folders import model_folder

__all__ = ["cheap_hashes"]

SECRET = '{"text": "the secret of this machine"}\n'
ROW = '{"text": "a row of data"}\n'


class Place:
    """A home folder with secrets, a shared folder that is named, a studio below the home folder."""

    def __init__(self, folder: Path, *, named: bool, people: bool) -> None:
        self.user = folder / "user"
        self.shared = self.user / "shared"
        secret = (".docker/config.json", ".ssh/id.json", "notes/own.jsonl", "shared/.hidden/x.jsonl")
        for name in (*secret, "shared/.x.jsonl"):
            (self.user / name).parent.mkdir(parents=True, exist_ok=True)
            (self.user / name).write_text(SECRET)
        for name in ("shared/a.jsonl", "shared/sub/b.jsonl"):
            (self.user / name).parent.mkdir(parents=True, exist_ok=True)
            (self.user / name).write_text(ROW)
        roots = str(self.shared) if named else ""
        self.studio = open_studio(home=self.user / "studio", model_roots=roots)
        self.home = self.studio.settings.home
        (self.home / services.FILE).write_text(SECRET)
        (self.home / "runs" / "1").mkdir()
        (self.home / "runs" / "1" / "serve.json").write_text(SECRET)
        if people:
            add_all(self.studio)

    def link(self, name: str, target: Path | str) -> str:
        path = self.shared / name
        path.symlink_to(target)
        return str(path)


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Place]]:
    places: list[Place] = []
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    for name in ("HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)

    def make(*, named: bool = True, people: bool = True) -> Place:
        places.append(Place(tmp_path, named=named, people=people))
        return places[-1]

    yield make
    for place in places:
        place.studio.close()


Named = Callable[[Place], str]

PATHS: dict[str, Named] = {
    "a hidden folder of the home folder": lambda p: str(p.user / ".docker" / "config.json"),
    "keys": lambda p: "~/.ssh/id.json",
    "notes beside the shared folder": lambda p: str(p.user / "notes" / "own.jsonl"),
    "notes by dots": lambda p: f"{p.shared}/../notes/own.jsonl",
    "notes by many dots": lambda p: f"{p.shared}/sub/.././../notes/./own.jsonl",
    "the home folder": lambda p: "~",
    "the root": lambda p: "/",
    "another's home folder": lambda p: "~root/.bashrc",
    "a file of the system": lambda p: "/etc/passwd",
    "the memory of this process": lambda p: "/proc/self/environ",
    "an open file of this process": lambda p: "/proc/self/fd/0",
    "a device": lambda p: "/dev/zero",
    "the list of services": lambda p: str(p.home / services.FILE),
    "a chat's token": lambda p: str(p.home / "runs" / "1" / "serve.json"),
    "the database": lambda p: str(p.home / "studio.db"),
    "the key of the sessions": lambda p: str(p.home / "secret.key"),
    "the data folder": lambda p: str(p.home),
    "a link to a secret": lambda p: p.link("l.json", p.user / ".docker" / "config.json"),
    "a link to the services": lambda p: p.link("l.json", p.home / services.FILE),
    "a link to a link to the services": lambda p: p.link("m.json", p.link("l.json", p.home / services.FILE)),
    "a link to the data folder": lambda p: p.link("l", p.home),
    "a file behind a link to the data folder": lambda p: p.link("l", p.home) + "/services.json",
    "a relative link": lambda p: p.link("l.json", "../studio/services.json"),
    "a link that leads to itself": lambda p: p.link("l.json", p.shared / "l.json"),
    "a hidden file of the shared folder": lambda p: str(p.shared / ".x.jsonl"),
    "a hidden folder of the shared folder": lambda p: str(p.shared / ".hidden"),
    "a file in a hidden folder": lambda p: str(p.shared / ".hidden" / "x.jsonl"),
    "a name with a zero": lambda p: f"{p.shared}/a.jsonl\0.txt",
    "a name of 100,000 letters": lambda p: "/" + "a" * 100_000,
    "an address": lambda p: f"file://{p.user}/notes/own.jsonl",
    "nothing": lambda p: "  ",
}  # fmt: skip


@pytest.mark.parametrize("name", PATHS)
def test_data_is_not_read_from_there(at_home: Callable[..., Place], name: str) -> None:
    place = at_home()
    with pytest.raises(BadInput) as refused:
        adding.bring_in(place.studio, Brought(paths=[PATHS[name](place)]))
    assert "the secret" not in str(refused.value)


@pytest.mark.parametrize("name", PATHS)
def test_nor_is_a_model(at_home: Callable[..., Place], name: str) -> None:
    place = at_home()
    with pytest.raises(BadInput) as refused:
        registry.add(place.studio, PATHS[name](place))
    assert "the secret" not in str(refused.value)


def test_the_shared_folder_is(at_home: Callable[..., Place]) -> None:
    place = at_home()
    for path in (place.shared / "a.jsonl", place.shared / "sub"):
        assert adding.bring_in(place.studio, Brought(paths=[str(path)]), name=path.stem).dataset.rows == 1  # type: ignore[union-attr]


def test_of_a_folder_only_what_is_its_own_is_read(at_home: Callable[..., Place]) -> None:
    place = at_home(named=False, people=False)
    place.link("services.jsonl", place.home / services.FILE)
    place.link("docker.jsonl", place.user / ".docker" / "config.json")
    place.link("hidden.jsonl", place.shared / ".hidden" / "x.jsonl")
    files = adding.data_files(place.studio, str(place.user))
    assert set(files) == {"notes/own.jsonl", "shared/a.jsonl", "shared/sub/b.jsonl"}


@pytest.mark.parametrize("people", [False, True])
def test_without_a_name_the_home_folder_is_for_who_is_alone(
    at_home: Callable[..., Place], people: bool
) -> None:
    place = at_home(named=False, people=people)
    allowed = reach(place.studio)
    assert allowed.allows(place.user / "notes" / "own.jsonl") is not people
    assert allowed.allows(place.user / ".cache/huggingface/hub/models--a--b/snapshots") is not people
    assert allowed.allows(place.home / "models" / "base") and allowed.allows(bundled_folder() / "models")
    for secret in (
        ".docker/config.json",
        ".ssh",
        "studio/services.json",
        "studio/runs/1/serve.json",
        "studio",
    ):
        assert not allowed.allows(place.user / secret)


def test_the_data_folder_is_nobodys_also_where_it_is_named(
    at_home: Callable[..., Place], tmp_path: Path
) -> None:
    place = at_home()
    for roots in (place.home, place.home / "runs", place.user):
        named = Studio(place.studio.settings.model_copy(update={"model_roots": str(roots)}), place.studio.db)
        assert not reach(named).allows(place.home / services.FILE)
        assert not reach(named).allows(place.home / "runs" / "1" / "serve.json")


def test_what_a_job_may_read_stands_in_its_options(at_home: Callable[..., Place]) -> None:
    place = at_home()
    job = adding.submit(place.studio, Brought(paths=[str(place.shared / "a.jsonl")]), name="a")
    assert Reach.of(job.spec["run"]["options"]) == reach(place.studio)


FILES_OF_A_MODEL = (
    "config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors", "chat_template.jinja",
    "generation_config.json", "special_tokens_map.json", "modeling.py", "notes.txt",
)  # fmt: skip


@pytest.mark.parametrize("file", FILES_OF_A_MODEL)
def test_a_file_of_a_model_that_leads_elsewhere_is_refused(at_home: Callable[..., Place], file: str) -> None:
    place = at_home()
    folder = model_folder(place.shared / "base")
    (folder / file).unlink(missing_ok=True)
    (folder / file).symlink_to(place.home / services.FILE)
    with pytest.raises(BadInput) as refused:
        registry.add(place.studio, str(folder))
    assert refused.value.key == "models.link_outside"


def changed_later(folder: Path, secret: Path) -> dict[str, Callable[[], object]]:
    """What somebody may do to the folder of a model that the studio knows already."""
    template, config = folder / "chat_template.jinja", folder / "tokenizer_config.json"

    def folder_for_a_link() -> None:
        folder.rename(folder.with_name("away"))
        (secret.parent / "chat_template.jinja").write_text(SECRET)
        folder.symlink_to(secret.parent)

    return {
        "its template is a link": lambda: (template.unlink(missing_ok=True), template.symlink_to(secret)),
        "its configuration is a link": lambda: (config.unlink(), config.symlink_to(secret)),
        "the folder is a link": folder_for_a_link,
    }


@pytest.mark.parametrize(
    "change", ["its template is a link", "its configuration is a link", "the folder is a link"]
)
def test_a_model_that_is_changed_later_shows_no_secret(at_home: Callable[..., Place], change: str) -> None:
    place = at_home()
    folder = model_folder(place.shared / "base")
    (folder / "tokenizer.json").write_bytes(
        (bundled_folder() / "models/tiny-chat/tokenizer.json").read_bytes()
    )
    registry.add(place.studio, str(folder))
    changed_later(folder, place.user / ".docker" / "config.json")[change]()
    record = {"messages": [{"role": "user", "content": "Hi"}]}
    model = ResolvedModel(name="base", path=str(folder))
    for attempt in (
        lambda: registry.resolve(place.studio, "base"),
        lambda: tokenized.preview_record(model, Shape.CHAT, record, None),
    ):
        with pytest.raises(StudioError) as refused:
            attempt()
        assert "the secret" not in str(refused.value)


class Swapped:
    """A file that is exchanged for something else once it was checked."""

    def __init__(self, folder: Path) -> None:
        self.secret = folder / "secret"
        self.secret.mkdir()
        (self.secret / "a.jsonl").write_text(SECRET)
        self.folder = folder / "data"
        (self.folder / "deep").mkdir(parents=True)
        self.file = self.folder / "deep" / "a.jsonl"
        self.file.write_text(ROW)


SWAPS: dict[str, Callable[[Swapped], object]] = {
    "for a link": lambda s: (s.file.unlink(), s.file.symlink_to(s.secret / "a.jsonl")),
    "its folder for a link": lambda s: (
        s.file.unlink(), s.file.parent.rmdir(), s.file.parent.symlink_to(s.secret)
    ),
    "the folder above for a link": lambda s: (
        s.folder.rename(s.folder.with_name("away")), (s.secret / "deep").symlink_to(s.secret),
        s.folder.symlink_to(s.secret),
    ),
    "for a pipe": lambda s: (s.file.unlink(), os.mkfifo(s.file)),
    "for a folder": lambda s: (s.file.unlink(), s.file.mkdir()),
    "for a link to a device": lambda s: (s.file.unlink(), s.file.symlink_to("/dev/zero")),
}  # fmt: skip


@pytest.mark.parametrize("name", SWAPS)
def test_a_checked_file_that_is_exchanged_is_not_read(tmp_path: Path, name: str) -> None:
    swapped = Swapped(tmp_path)
    with open_plain(swapped.file) as file:
        assert file.read() == ROW.encode()
    SWAPS[name](swapped)
    with pytest.raises((BadInput, OSError)):
        open_plain(swapped.file).read()


def test_the_data_folder_is_closed_to_others_also_where_it_was_open(tmp_path: Path) -> None:
    studio = open_studio(home=tmp_path / "home")
    studio.close()
    home = studio.settings.home
    for path, mode in ((home, 0o755), (studio.settings.database, 0o644)):
        path.chmod(mode)
    for name in ("services.json", "secret.key"):
        (home / name).write_text("{}")
        (home / name).chmod(0o664)
    load(home=home)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.iterdir() if path.is_file()}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert {modes[name] for name in ("studio.db", "services.json", "secret.key")} == {0o600}


PROCESSES = ("app", "jobs", "jobs.engine.supervisor", "jobs.worker")
UMASK = """
import os, runpy, sys
os.umask = lambda mask: os._exit(mask)
sys.argv = ["x"]
runpy.run_module({module!r}, run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("module", PROCESSES)
def test_each_process_writes_for_its_owner_only(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", UMASK.format(module=module)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0o077, done.stderr


def test_an_import_leaves_files_for_its_owner_only(studio: Studio, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(ROW)
    dataset = store.import_file(studio, path).dataset
    assert stat.S_IMODE(store.parquet_path(studio, dataset).stat().st_mode) & 0o077 == 0


ALIASES: dict[str, Any] = {
    "nested lists": "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nmethod: *c\n",
    "a name repeated": "method: &m sft\nmodel: *m\n",
    "merged mappings": "base: &b {method: sft}\n<<: *b\n",
    "a list in itself": "prompts: &p [*p]\n",
    "deep lists": "prompts: " + "[" * 5_000,
    "an object of Python": "method: !!python/object/apply:os.system ['id']\n",
    "a number without end": "seed: " + "9" * 100_000,
    "a date that is none": "name: 2020-99-99\n",
    "more than a megabyte": "name: " + "x" * (2 << 20),
}


@pytest.mark.parametrize("name", ALIASES)
def test_a_spec_that_does_harm_is_refused(name: str) -> None:
    from studio_core import training

    with pytest.raises(BadInput):
        training.from_yaml(ALIASES[name])


def test_json_is_a_spec() -> None:
    from studio_core import training

    values = {"method": "sft", "model": "a", "dataset": "b", "prompts": ["x", "x"]}
    assert training.from_yaml(json.dumps(values)).prompts == ["x", "x"]
