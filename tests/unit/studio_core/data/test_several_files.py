"""Several files, archives and folders as one dataset."""

from __future__ import annotations

import io
import json
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from studio_core.base.errors import BadInput
from studio_core.base.studio import Studio
from studio_core.data import archives, store
from studio_core.data.mapping import Mapping
from studio_core.data.shapes import Shape

PAIRS = b'{"prompt": "q1", "completion": "a1"}\n{"prompt": "q2", "completion": "a2"}\n'
OTHERS = b'{"question": "q3", "answer": "a3"}\nbroken\n'
TABLE = b"prompt,completion,note\nq4,a4,x\n"
PREFERENCE = b'{"prompt": "q", "chosen": "a", "rejected": "b"}\n'


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def tarred(path: Path, members: dict[str, bytes], *, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as file:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


def folder(path: Path, members: dict[str, bytes]) -> Path:
    for name, content in members.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def prompts(studio: Studio, dataset: Any) -> list[str]:
    return [record["prompt"][0]["content"] for record in store.records(studio, dataset)]


MEMBERS = {
    "b/two.jsonl": OTHERS,
    "a.jsonl": PAIRS,
    "c.csv": TABLE,
    "README.md": b"# About",
    "b/x.png": b"\x89PNG",
}


@pytest.mark.parametrize("make", [zipped, tarred, folder])
def test_archives_and_folders_are_one_dataset(studio: Studio, tmp_path: Path, make: Any) -> None:
    path = make(tmp_path / "many", MEMBERS)
    seen = store.inspect_file(studio, path, source="many.zip")
    assert (seen.shape, seen.good, seen.bad) == (Shape.PROMPT_COMPLETION, 4, 1)
    assert [(file.source, file.good, file.bad) for file in seen.files] == [
        ("many.zip/a.jsonl", 2, 0),
        ("many.zip/b/two.jsonl", 1, 1),
        ("many.zip/c.csv", 1, 0),
    ]
    assert {(item["file"], item["why"]) for item in seen.passed_over} == {
        ("many.zip/README.md", "about"),
        ("many.zip/b/x.png", "not_data"),
    }
    assert (seen.format, seen.columns) == (
        "csv, jsonl",
        ["prompt", "completion", "question", "answer", "note"],
    )
    [reason] = seen.reasons
    assert (reason["file"], reason["row"], reason["code"]) == ("many.zip/b/two.jsonl", 2, "json")
    imported = store.import_file(studio, path, source="many.zip", mapping=seen.mapping)
    assert (imported.dataset.name, imported.dataset.rows) == ("many", 4)
    assert prompts(studio, imported.dataset) == ["q1", "q2", "q3", "q4"]
    assert list(studio.settings.uploads.iterdir()) == []


def test_several_paths_in_their_order(studio: Studio, tmp_path: Path) -> None:
    folder(tmp_path, MEMBERS)
    paths = [tmp_path / "c.csv", zipped(tmp_path / "z.zip", {"a.jsonl": PAIRS})]
    imported = store.import_files(studio, paths)
    assert (imported.dataset.name, imported.dataset.source) == ("c", "c.csv, z.zip")
    assert prompts(studio, imported.dataset) == ["q4", "q1", "q2"]


def test_files_of_different_shapes_are_named(studio: Studio, tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.jsonl": PAIRS, "b.jsonl": PREFERENCE})
    with pytest.raises(BadInput, match=r"a\.zip/a\.jsonl has prompt-completion records, but a\.zip/b\.jsonl"):
        store.inspect_file(studio, path)


def test_the_user_may_say_the_shape_of_all(studio: Studio, tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.jsonl": PAIRS, "b.jsonl": OTHERS})
    mapping = Mapping(shape=Shape.PROMPT_ONLY, columns={"prompt": "prompt"}, keep=["completion", "answer"])
    dataset = store.import_file(studio, path, mapping=mapping).dataset
    assert [(r["completion"], r["answer"]) for r in store.records(studio, dataset)] == [
        ("a1", None),
        ("a2", None),
        (None, "a3"),
    ]


def test_an_empty_file_among_others_is_passed_over(studio: Studio, tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.jsonl": PAIRS, "b.jsonl": b"", "c.csv": b"a,b\n"})
    seen = store.inspect_file(studio, path)
    assert seen.good == 2
    assert [item["why"] for item in seen.passed_over] == ["empty", "empty"]


@pytest.mark.parametrize("make", [zipped, tarred])
def test_names_that_lead_out_of_the_archive_are_never_paths(
    studio: Studio, tmp_path: Path, make: Any
) -> None:
    evil = ["../out.jsonl", "/tmp/out.jsonl", "a/../../out.jsonl", "..\\out.jsonl", "C:\\out.jsonl"]
    before = set(tmp_path.rglob("*"))
    path = make(
        tmp_path / "a.zip", {**dict.fromkeys(evil, PREFERENCE), "a.jsonl": PAIRS, ".hidden.jsonl": PAIRS}
    )
    seen = store.inspect_file(studio, path)
    assert [file.source for file in seen.files] == ["a.zip/a.jsonl"]
    assert [item["why"] for item in seen.passed_over].count("outside") == len(evil)
    assert set(tmp_path.rglob("*")) - before == {path}


def test_links_and_devices_in_archives_are_passed_over(studio: Studio, tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as file:
        for name, kind in {
            "l.jsonl": tarfile.SYMTYPE,
            "h.jsonl": tarfile.LNKTYPE,
            "d.jsonl": tarfile.CHRTYPE,
        }.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            file.addfile(info)
        info = tarfile.TarInfo("a.jsonl")
        info.size = len(PAIRS)
        file.addfile(info, io.BytesIO(PAIRS))
    seen = store.inspect_file(studio, path)
    assert (seen.good, [item["why"] for item in seen.passed_over]) == (2, ["link"] * 3)
    linked = zipfile.ZipInfo("l.jsonl")
    linked.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(linked, "/etc/passwd")
        archive.writestr("a.jsonl", PAIRS)
    seen = store.inspect_file(studio, tmp_path / "a.zip")
    assert (seen.good, [item["why"] for item in seen.passed_over]) == (2, ["link"])


def test_links_in_a_folder_stay_within_what_is_allowed(studio: Studio, tmp_path: Path) -> None:
    inside = folder(tmp_path / "data", {"a.jsonl": PAIRS, "blobs/x": OTHERS})
    (inside / "b.jsonl").symlink_to(inside / "blobs" / "x")
    (inside / "c.jsonl").symlink_to("/etc/passwd")
    (inside / "d.jsonl").symlink_to(inside / "nothing")
    seen = store.inspect_file(studio, inside)
    assert [file.source for file in seen.files] == ["data/a.jsonl", "data/b.jsonl"]
    assert {item["file"]: item["why"] for item in seen.passed_over}["data/c.jsonl"] == "link"


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"a.zip": b"PK\x03\x04"}, "contains another archive, a.zip"),
        ({"a.jsonl": b"PK\x03\x04 in disguise"}, "contains another archive, a.jsonl"),
        ({"a.png": b"x"}, "has no data files"),
        ({}, "has no data files"),
        ({"xl/workbook.xml": b"<x/>", "[Content_Types].xml": b"<x/>"}, "is a Office .XLSX, DOCX. file"),
        (
            {"a.jsonl": b'{"text": "aaaaaaaaaaaa"}\n' * 4_000_000},
            "unpacks to more than 250 times its size",
        ),
    ],
)
def test_archives_that_are_refused(
    studio: Studio, tmp_path: Path, members: dict[str, bytes], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        store.inspect_file(studio, zipped(tmp_path / "x.zip", members))
    assert list(studio.settings.uploads.iterdir()) == []


def test_more_than_the_limit_is_never_unpacked(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(tmp_path / "x.zip", {f"{n}.jsonl": PAIRS * 9000 for n in range(9)})
    with pytest.raises(BadInput, match="unpacks to more than 4 MB"):
        with archives.open_bundle([path], ["x.zip"], scratch=tmp_path, limit=4 << 20):
            raise AssertionError("it was unpacked")
    packed = tarred(tmp_path / "x.tar.gz", {f"{n}.jsonl": PAIRS * 9000 for n in range(9)})
    with pytest.raises(BadInput, match="unpacks to more than 4 MB"):
        with archives.open_bundle([packed], ["x.tar.gz"], scratch=tmp_path, limit=4 << 20):
            raise AssertionError("it was unpacked")
    monkeypatch.setattr(archives, "MAX_MEMBERS", 8)
    for crowded in (path, tarred(tmp_path / "y.tar", {f"{n}.jsonl": PAIRS for n in range(9)}, mode="w")):
        with pytest.raises(BadInput, match="has more than 8 entries"):
            store.inspect_file(studio, crowded)
    monkeypatch.setattr(archives, "MAX_MEMBERS", 100)
    monkeypatch.setattr(archives, "MAX_FILES", 8)
    for crowded in (path, folder(tmp_path / "f", {f"{n}.jsonl": PAIRS for n in range(9)})):
        with pytest.raises(BadInput, match="has more than 8 data files"):
            store.inspect_file(studio, crowded)


def test_an_archive_with_a_password(studio: Studio, tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", {"a.jsonl": PAIRS})
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    path.write_bytes(bytes(content))
    with pytest.raises(BadInput, match="password protected"):
        store.inspect_file(studio, path)


@pytest.mark.parametrize("make", [zipped, tarred])
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
def test_an_archive_that_was_cut_off(studio: Studio, tmp_path: Path, make: Any, keep: float) -> None:
    path = make(tmp_path / "x", {f"{n}.jsonl": json.dumps({"text": str(n) * n}).encode() for n in range(50)})
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(BadInput, match=r"damaged|truncated|incomplete"):
        store.inspect_file(studio, path)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_of_members_of_one_name_the_last_is_read(studio: Studio, tmp_path: Path) -> None:
    for path in (tmp_path / "a.zip", tmp_path / "a.tar"):
        contents = [PAIRS, PAIRS, TABLE]
        if path.suffix == ".zip":
            with zipfile.ZipFile(path, "w") as packed:
                for content in contents:
                    packed.writestr("a.csv", content)
        else:
            with tarfile.open(path, "w") as file:
                for content in contents:
                    info = tarfile.TarInfo("a.csv")
                    info.size = len(content)
                    file.addfile(info, io.BytesIO(content))
        seen = store.inspect_file(studio, path)
        assert [record["prompt"][0]["content"] for record in seen.sample_records] == ["q4"]
        assert [item["why"] for item in seen.passed_over] == ["repeated"] * 2


def test_what_a_packed_tar_unpacks_to_is_counted_once(tmp_path: Path) -> None:
    packed = tarred(tmp_path / "x.tar.gz", {f"{n}.jsonl": PAIRS * 9000 for n in range(4)})
    with archives.open_bundle([packed], ["x.tar.gz"], scratch=tmp_path, limit=4 << 20) as bundle:
        assert [file.path.stat().st_size for file in bundle.files] == [len(PAIRS) * 9000] * 4
    assert list(tmp_path.iterdir()) == [packed]


def test_many_files_with_huge_rows_take_little_memory(tmp_path: Path) -> None:
    for n in range(40):
        row = {"text": "x" * 1_000_000, "more": [{"y": "z" * 500_000}]}
        (tmp_path / f"{n}.jsonl").write_text((json.dumps(row) + "\n") * 4)
    code = (
        "import re, sys; from pathlib import Path\n"
        "from studio_core.data import archives; from studio_core.data.inspection import Reading\n"
        "folder = Path(sys.argv[1])\n"
        "with archives.open_bundle([folder], ['x'], scratch=folder, limit=1 << 30) as bundle:\n"
        "    seen = Reading(bundle, 'x', None, limit=1 << 30).looked_through()\n"
        "print(seen.good, re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    printed = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
    assert printed[0] == "160" and int(printed[1]) < 250 << 10


def test_names_that_windows_wrote(studio: Studio, tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"XXXX.jsonl": PAIRS})
    path.write_bytes(path.read_bytes().replace(b"XXXX", "你好".encode("gb18030")))
    assert [file.source for file in store.inspect_file(studio, path).files] == ["a.zip/你好.jsonl"]


def test_lists_and_headers_made_to_fill_the_memory_are_refused(tmp_path: Path) -> None:
    crowd = tmp_path / "crowd.zip"
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = entry * 1_000_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(directory), 4, 0)
    crowd.write_bytes(b"PK\x03\x04" + directory + end)
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 600 << 20
    swollen = tmp_path / "swollen.tar"
    with open(swollen, "wb") as file:
        file.write(header.tobuf(tarfile.USTAR_FORMAT))
        file.truncate(700 << 20)
    code = (
        "import re, sys; from pathlib import Path\n"
        "from studio_core.data import archives; from studio_core.base.errors import BadInput\n"
        "for path in sys.argv[2:]:\n"
        "    try:\n"
        "        scratch = Path(sys.argv[1])\n"
        "        with archives.open_bundle([Path(path)], ['x'], scratch=scratch, limit=1 << 30): print('read')\n"
        "    except BadInput as error: print(error.key)\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])\n"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(crowd), str(swollen)],
        capture_output=True, check=True, text=True,
    ).stdout.split()  # fmt: skip
    assert printed[:2] == ["data.archive_crowded", "data.archive_damaged"]
    assert int(printed[2]) < 200 << 10
