"""Chat templates and tokenizers made to do harm: each attempt ends in a sentence, and the next preview works."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jobs.engine.ending import TEMPLATE_TOO_SLOW, of_exit
from studio_core.base.errors import BadInput, StudioError
from studio_core.base.settings import bundled_folder
from studio_core.data import tokenized
from studio_core.data.shapes import Shape
from studio_core.runs.spec import ResolvedModel
from studio_core.sandbox import limits, pool

TINY = bundled_folder() / "models" / "tiny-chat"
RECORD = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]}


@contextmanager
def impatient(keys: set[str]) -> Iterator[None]:
    """A program that may run until its time is over gets a second of it; all others have what they always have."""
    with pytest.MonkeyPatch.context() as patch:
        if STOPPED in keys:
            patch.setattr(limits, "SECONDS", 1)
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (tmp_path / "model").mkdir(exist_ok=True)
        shutil.copy(TINY / name, tmp_path / "model" / name)
    return tmp_path / "model"


def model(folder: Path) -> ResolvedModel:
    return ResolvedModel(name="hostile", path=str(folder))


def preview(folder: Path, record: dict[str, Any] = RECORD) -> tokenized.Preview:
    return tokenized.preview_record(model(folder), Shape.CHAT, record, None)


def still_works() -> None:
    """Another model's preview is as it always is."""
    assert preview(TINY).learnt > 0


STOPPED = "sandbox.too_slow"
REFUSED = "data.template_refuses"
BROKEN = "data.template_broken"
ENDLESS = "data.template_endless"
FAILED = "sandbox.failed"

PROGRAMS: dict[str, tuple[str, set[str]]] = {
    "a power of powers": ("{% set n = messages|length + 8 %}{{ (n ** (n ** n)) % 7 }}", {STOPPED}),
    "a constant power, computed when it is compiled": ("{{ 9 ** (9 ** 9) }}", {STOPPED}),
    "a constant power in a condition that is never true": ("{% if false %}{{ 9 ** (9 ** 9) }}{% endif %}", {STOPPED}),
    "a constant shift by formatting": ("{{ '%4000000000d' % 1 }}", {REFUSED, BROKEN, FAILED}),
    "a formatting of a number of the record": ("{{ '%4000000000d' % messages|length }}", {REFUSED}),
    "a filter that formats": ("{{ '%4000000000d'|format(messages|length) }}", {REFUSED}),
    "a method that formats": ("{{ '{:>4000000000}'.format(messages|length) }}", {REFUSED}),
    "four billion letters": ("{{ 'a' * 4000000000 }}", {REFUSED, BROKEN, FAILED}),
    "as many by a variable": ("{% set n = messages|length * 2000000000 %}{{ 'a' * n }}", {REFUSED}),
    "a list of four billion": ("{% set n = messages|length * 2000000000 %}{{ ([1] * n)|length }}", {REFUSED}),
    "letters centred in a wide line": ("{{ 'a'|center(4000000000) }}", {REFUSED, BROKEN, FAILED}),
    "letters with zeros before them": ("{{ 'a'.zfill(4000000000) }}", {REFUSED, BROKEN, FAILED}),
    "a string that doubles": (
        "{% set n = namespace(s='ab') %}{% for _ in range(60) %}{% set n.s = n.s ~ n.s %}{% endfor %}{{ n.s }}",
        {STOPPED, REFUSED, ENDLESS},
    ),
    "a number that doubles its digits": (
        "{% set n = namespace(i=3) %}{% for _ in range(60) %}{% set n.i = n.i * n.i %}{% endfor %}{{ n.i }}",
        {STOPPED, REFUSED},
    ),
    "nested loops that write nothing": (
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", {STOPPED},
    ),
    "nested loops that write": (
        "{% for a in range(99999) %}{% for b in range(99999) %}xxxxxxxxxxxxxxxxxxxx{% endfor %}{% endfor %}",
        {STOPPED, ENDLESS},
    ),
    "a range without end": ("{% for a in range(10 ** 12) %}x{% endfor %}", {REFUSED}),
    "a loop that calls itself": (
        "{% for m in messages recursive %}{{ loop([m]) }}{% endfor %}", {REFUSED},
    ),
    "a macro that calls itself": ("{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}", {REFUSED}),
    "a macro that calls itself twice": (
        "{% macro m(x) %}{% if x %}{{ m(x - 1) }}{{ m(x - 1) }}{% endif %}{% endmacro %}{{ m(80) }}", {STOPPED},
    ),
    "sorted products": (
        "{% for x in range(99999) %}{% set _ = range(99999)|sort %}{% endfor %}", {STOPPED},
    ),
    "a batch of nothing": ("{{ range(9)|batch(99999999999)|list|length }}{{ [1]|batch(4000000000, 0)|list|length }}",
        {REFUSED, BROKEN, FAILED},
    ),
    "deeply nested lists": ("{{ " + "[" * 5000 + "]" * 5000 + " }}", {BROKEN, FAILED, "sandbox.crashed"}),
    "deeply nested conditions": ("{% if a %}" * 3000 + "{% endif %}" * 3000, {BROKEN, FAILED, "sandbox.crashed"}),
    "a long sum": ("{{ " + "1 + " * 20000 + "1 }}", {BROKEN, FAILED, "sandbox.crashed"}),
    "Python's own classes": ("{{ ''.__class__.__mro__[1].__subclasses__() }}", {REFUSED}),
    "Python's own classes by a filter": ("{{ (''|attr('__class__')).__base__ }}", {REFUSED}),
    "globals of a function": ("{{ raise_exception.__globals__.os }}", {REFUSED}),
    "globals of a macro's caller": ("{{ cycler.__init__.__globals__.os.system('id') }}", {REFUSED}),
    "the frame of a generator": ("{% set g = messages|map('upper') %}{{ g.gi_frame.f_builtins }}", {REFUSED}),
    "a file of the system": ("{% include '/etc/passwd' %}", {REFUSED}),
    "a file of the system, imported": ("{% import '/etc/passwd' as p %}", {REFUSED}),
    "an end asked for": ("{{ raise_exception('no') }}", {REFUSED}),
    "a change of the messages": ("{{ messages.append(1) }}", {REFUSED}),
    "a time zone of many letters": ("{{ strftime_now('%A' * 4000000) }}", {REFUSED, BROKEN, ENDLESS, FAILED}),
    "no Jinja": ("{% for %}", {BROKEN}),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_template_that_does_harm_ends_in_a_sentence(folder: Path, name: str) -> None:
    program, keys = PROGRAMS[name]
    (folder / "chat_template.jinja").write_text(program)
    with impatient(keys), pytest.raises(BadInput) as refused:
        preview(folder)
    assert refused.value.key in keys, refused.value
    assert len(refused.value.sentence("en")) < 800 and len(refused.value.sentence("zh-CN")) < 800
    still_works()


def tokenizer(folder: Path, **changes: Any) -> dict[str, Any]:
    document = json.loads((TINY / "tokenizer.json").read_text())
    document |= changes
    (folder / "tokenizer.json").write_text(json.dumps(document))
    return document


def split(pattern: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def replacing(pattern: str, content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"Regex": pattern}, "content": content}


def empty_file(folder: Path, size: int = 5 << 30) -> None:
    with open(folder / "tokenizer.json", "wb") as file:
        file.truncate(size)


BROKEN_TOKENIZER = "data.tokenizer_broken"
CRASHED = "sandbox.crashed"
BAD_FILE = "models.bad_json"
TOO_LARGE = "models.too_large"

TOKENIZERS: dict[str, tuple[Callable[[Path], object], set[str]]] = {
    "a regex that backtracks until it panics": (
        lambda f: tokenizer(f, pre_tokenizer=split("(a+)+$")), {STOPPED, CRASHED, FAILED},
    ),
    "a normalizer that backtracks": (
        lambda f: tokenizer(f, normalizer=replacing("(a|aa)+$", "b")), {STOPPED, CRASHED, FAILED},
    ),
    "a normalizer that multiplies the text": (
        lambda f: tokenizer(
            f, normalizer={"type": "Sequence", "normalizers": [replacing(".", "aaaaaaaaaaaaaaaa")] * 9}
        ),
        {STOPPED, CRASHED, FAILED, BROKEN_TOKENIZER},
    ),
    "no regex": (lambda f: tokenizer(f, pre_tokenizer=split("(((")), {BROKEN_TOKENIZER, CRASHED}),
    "no JSON": (lambda f: (f / "tokenizer.json").write_text("{"), {BROKEN_TOKENIZER}),
    "lists in lists": (lambda f: (f / "tokenizer.json").write_text("[" * 2_000_000), {BROKEN_TOKENIZER, CRASHED}),
    "a model of an unknown kind": (lambda f: tokenizer(f, model={"type": "?"}), {BROKEN_TOKENIZER}),
    "merges of tokens that are not there": (
        lambda f: tokenizer(f, model={"type": "BPE", "vocab": {"a": 0}, "merges": [["x", "y"]]}), {BROKEN_TOKENIZER},
    ),
    "an id beyond all numbers": (
        lambda f: tokenizer(f, model={"type": "WordLevel", "vocab": {"a": 2**80}, "unk_token": "a"}),
        {BROKEN_TOKENIZER},
    ),
    "five gigabytes": (empty_file, {TOO_LARGE}),
    "nothing": (lambda f: (f / "tokenizer.json").unlink(), {"data.no_tokenizer"}),
    "a list where the special tokens stand": (
        lambda f: (f / "tokenizer_config.json").write_text("[]"), {BAD_FILE},
    ),
    "special tokens nested without end": (
        lambda f: (f / "tokenizer_config.json").write_text('{"a":' * 100_000), {BAD_FILE},
    ),
    "a template of five gigabytes": (
        lambda f: os.truncate(f / "chat_template.jinja", 5 << 30), {TOO_LARGE},
    ),
    "a template that is a pipe": (
        lambda f: ((f / "chat_template.jinja").unlink(), os.mkfifo(f / "tokenizer.fifo"),
                   (f / "tokenizer.json").unlink(), (f / "tokenizer.fifo").rename(f / "tokenizer.json")),
        {"data.no_tokenizer"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_tokenizer_that_does_harm_ends_in_a_sentence(folder: Path, name: str) -> None:
    spoil, keys = TOKENIZERS[name]
    spoil(folder)
    turns = [{"role": "user", "content": "a" * 64 + "b"}, {"role": "assistant", "content": "x y " * 200}]
    with impatient(keys), pytest.raises(BadInput) as refused:
        preview(folder, {"messages": turns})
    assert refused.value.key in keys, refused.value
    assert len(refused.value.sentence("en")) < 800
    still_works()


def running() -> list[pool.Helper]:
    return [helper for helper in pool._idle.queue if helper is not None]


def test_one_who_waits_for_ever_keeps_nobody_else_waiting(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text(PROGRAMS["a power of powers"][0])
    with ThreadPoolExecutor(1) as others:
        hostile = others.submit(preview, folder)
        while not hostile.done():
            still_works()
        with pytest.raises(BadInput):
            hostile.result()


def test_who_finds_all_helpers_busy_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "chat_template.jinja").write_text(PROGRAMS["a power of powers"][0])
    monkeypatch.setattr(pool, "PATIENCE", 0.1)
    with ThreadPoolExecutor(8) as many:
        keys = set()
        for hostile in [many.submit(preview, folder) for _ in range(8)]:
            with pytest.raises(StudioError) as refused:
                hostile.result()
            keys.add(refused.value.key)
    assert keys == {STOPPED, "sandbox.busy"}
    still_works()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGABRT])
def test_a_helper_that_was_killed_is_started_again(number: signal.Signals) -> None:
    still_works()
    for helper in running():
        os.kill(helper.process.pid, number)
        helper.process.wait()
    still_works()


def test_a_helper_has_its_limits_and_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    pool.close()
    still_works()
    [helper] = running()
    limit = Path(f"/proc/{helper.process.pid}/limits").read_text()
    assert f"Max address space         {limits.ADDRESS_SPACE}" in limit
    assert "Max file size             0 " in limit and "Max cpu time              unlimited" not in limit
    assert b"hf_secret" not in Path(f"/proc/{helper.process.pid}/environ").read_bytes()


def test_no_program_of_a_model_is_run_in_this_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "jinja2.Environment.from_string", lambda *_: pytest.fail("a template is compiled here")
    )
    monkeypatch.setattr("tokenizers.Tokenizer", None)
    assert preview(folder).learnt > 0
    assert tokenized.lengths(model(folder), Shape.CHAT, [RECORD] * 3) == tokenized.lengths_or_none(
        model(folder), Shape.CHAT, [RECORD] * 3
    )


def test_a_record_of_many_megabytes_is_shown_or_refused(folder: Path) -> None:
    turns = [{"role": "user", "content": "word " * 400_000}, {"role": "assistant", "content": "\ud800"}]
    try:
        preview(folder, {"messages": turns})
    except BadInput as refused:
        assert refused.key in {STOPPED, FAILED, REFUSED, CRASHED}
    still_works()


WORKER = """
import sys
from jobs import template_time
from jobs.chat_format import chat_format
from jobs.training.loading import load_tokenizer
from studio_core.data.sequences import tokens
from studio_core.data.shapes import Shape
from studio_core.runs.spec import ResolvedModel

template_time.SECONDS = float(sys.argv[2])
model = ResolvedModel(name="hostile", path=sys.argv[1])
tokenizer = load_tokenizer(model)
chat = chat_format(model, tokenizer)
print("begins", flush=True)
template_time.SECONDS = 0.2
record = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]}
tokens(chat, Shape.CHAT, [record])
"""
"""What a training does before it learns."""


@pytest.mark.parametrize(
    ("name", "loading", "printed"),
    [
        ("a power of powers", 60, "begins\n"),
        ("nested loops that write nothing", 60, "begins\n"),
        ("a constant power, computed when it is compiled", 0.2, ""),
    ],
)
def test_a_template_that_never_ends_ends_its_worker_with_a_sentence(
    folder: Path, name: str, loading: float, printed: str
) -> None:
    """``loading``: seconds that its compilation may take."""
    (folder / "chat_template.jinja").write_text(PROGRAMS[name][0])
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(folder), str(loading)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (-signal.SIGALRM, printed), done.stderr
    ended_by = signal.Signals(-done.returncode).name
    record = {"stop": None, "returncode": done.returncode, "signal": ended_by, "forced": False}
    assert of_exit(record, None, "").detail == TEMPLATE_TOO_SLOW
