"""Bring the questions of a suite: a published one's file as its publisher has it, or tests of another program.

What is brought is checked and put where suites are read, one record a line.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from studio_core import texts
from studio_core.base import plain_yaml
from studio_core.base.atomic import sync_folder
from studio_core.base.errors import BadInput, NotFound
from studio_core.base.studio import Studio
from studio_core.data import readers, store, uploads
from studio_core.data.naming import checked_name
from studio_core.data.notes import Rejected
from studio_core.suites import SUITES, Suite, assertions
from studio_core.suites.benchmarks.base import Benchmark
from studio_core.suites.judged.references import references
from studio_core.suites.reading import openai_evals, promptfoo

# Bytes of a document of JSON, which is read whole: some hundred thousand tests.
_LARGEST = 64 << 20


def suite_named(name: str) -> Suite:
    """A suite of the studio's own or a published one; raises NotFound if there is none."""
    if name not in SUITES:
        raise NotFound("suites.no_suite", name=name[:80], known=", ".join(SUITES))
    return SUITES[name]


def lacking(studio: Studio, suite: Suite) -> Benchmark | None:
    """The program that a benchmark lacks here; None if it has it, or needs none."""
    benchmark = suite.benchmark
    return benchmark if benchmark and benchmark.program not in studio.settings.programs else None


def questions_here(studio: Studio, suite: Suite) -> int | None:
    """How many questions of a suite are here; None: its file has not been brought."""
    file = suite.file(studio.settings.suites)
    if not file.is_file():
        return None
    with open(file, "rb") as lines:
        return sum(bool(line.strip()) for line in lines)


def references_here(studio: Studio, suite: Suite) -> int | None:
    """How many of the questions that are here have a published answer; None of a suite that has no use for them."""
    file = suite.file(studio.settings.suites)
    if not (suite.answers_optional and file.is_file()):
        return None
    return sum(bool(references(item)) for item in suite.read(file))


def add(studio: Studio, name: str, file: Path, answers: Path | None = None, scored_by: str = "") -> Suite:
    """Take the questions of a published suite from a file of any kind that data is read from, its records as they are.
    ``answers`` is the second file of a suite that is published as two (``Suite.joined``), with or without need.

    Of another name: tests of promptfoo, or samples of OpenAI Evals with the class that scores them. What was there is
    replaced when all of this file has been read. Raises ``BadInput`` that quotes the record and its value if one is no
    question, ``NotFound`` if the name is no published suite's and the file has no tests.
    """
    if name in SUITES and SUITES[name].source is None:
        raise BadInput("suites.own_questions", suite=name)
    if name in SUITES and SUITES[name].of_program:
        raise BadInput("suites.of_program", suite=name)
    joins = name in SUITES and SUITES[name].joined is not None
    if answers is not None and not joins:
        raise BadInput("suites.one_file", suite=name)
    if answers is None and joins and not SUITES[name].answers_optional:
        raise BadInput("suites.two_files", suite=name)
    for given in (file, answers) if answers else (file,):
        if not given.is_file() or not os.access(given, os.R_OK):
            raise BadInput("data.file_missing", file=given)
    file = file.resolve()
    if name in SUITES:
        suite = SUITES[name]
        records = _questions(studio, suite, file, answers and answers.resolve())
    else:
        suite = assertions.suite(checked_name(name))
        records = _tests(studio, suite, file, scored_by)
    _write(studio, suite.file(studio.settings.suites), records)
    return suite


def add_uploaded(studio: Studio, name: str, ids: Sequence[str], scored_by: str = "") -> Suite:
    """The same of uploads that are complete: one, or two where the second, or the one so named, has the answers.
    They are removed once they were added; errors as of ``add``."""
    files = [uploads.complete(studio.settings, id) for id in ids]
    if not 0 < len(files) < 3:
        raise BadInput("suites.uploads_needed", suite=name, n=len(files))
    # BFCL has its answers in possible_answer/, MT-Bench in reference_answer/, Arena-Hard in model_answer/, AlpacaEval
    # in model_outputs.json; a browser sends files in any order.
    files.sort(key=lambda file: any(word in file.name.lower() for word in ("answer", "output")))
    # An upload is called by its number alone, and the endings of names count.
    with tempfile.TemporaryDirectory(dir=studio.settings.uploads) as folder:
        paths = [Path(folder) / str(place) / _plain_name(file.name) for place, file in enumerate(files)]
        for file, path in zip(files, paths, strict=True):
            path.parent.mkdir()
            os.link(file.path, path)
        suite = add(studio, name, paths[0], paths[1] if len(paths) > 1 else None, scored_by)
    for id in ids:
        uploads.discard(studio.settings, id)
    return suite


def _plain_name(name: str) -> str:
    """The name of an upload as one of a file: of the last part the end, 60 letters of at most four bytes each."""
    return PurePosixPath(name).name[-60:].lstrip(".") or "questions"


def _write(studio: Studio, goal: Path, records: Iterable[dict[str, Any]]) -> None:
    """Whole or not at all."""
    goal.parent.mkdir(mode=0o700, exist_ok=True)
    # Among the uploads, where leftovers of a sudden end are swept: files in the folder of suites are all read.
    descriptor, partial_name = tempfile.mkstemp(suffix=".partial", dir=studio.settings.uploads)
    partial = Path(partial_name)
    try:
        with store.space_for(goal.parent, partial), open(descriptor, "w", encoding="utf-8") as lines:
            for record in records:
                # Dates, which tables may have, as texts.
                lines.write(json.dumps(record, ensure_ascii=False, default=str) + "\n")
            lines.flush()
            os.fsync(lines.fileno())
        os.replace(partial, goal)
        sync_folder(goal.parent)
    finally:
        partial.unlink(missing_ok=True)


def _rows(studio: Studio, file: Path) -> readers.Rows:
    # As imports of data: four times what may be uploaded.
    return readers.rows(readers.recognise(file, limit=studio.settings.max_upload_mb << 22))


def _questions(studio: Studio, suite: Suite, file: Path, answers: Path | None) -> Iterator[dict[str, Any]]:
    """Its records, each of which is an item of the suite."""
    found: Iterator[dict[str, Any]] = _records(studio, suite, file)
    if suite.joined and answers:
        found = _joined(suite, suite.joined(found, _records(studio, suite, answers)), answers)
    place = _place(suite, file)
    number = 0
    for number, record in enumerate(found, start=1):
        try:
            suite.item(suite.name, record, number)
        except KeyError as error:
            columns = ", ".join(record)[:200]
            raise BadInput(
                "suites.no_column", **place, row=number, column=error.args[0], columns=columns
            ) from error
        except (TypeError, ValueError) as error:
            raise BadInput("suites.no_question", **place, row=number, reason=str(error)) from error
        yield record
    if not number:
        raise BadInput("data.no_rows", file=file.name)


def _joined(suite: Suite, records: Iterator[dict[str, Any]], answers: Path) -> Iterator[dict[str, Any]]:
    try:
        yield from records
    except KeyError as error:
        raise BadInput("suites.no_answer", file=answers.name, id=error.args[0]) from error
    except ValueError as error:
        raise BadInput("suites.not_answers", file=answers.name, suite=suite.name, value=str(error)) from error


def _records(studio: Studio, suite: Suite, file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file. Raises ``BadInput`` for one that is no record."""
    for number, record in _rows(studio, file):
        if isinstance(record, Rejected):
            reason = texts.text(f"data.row_{record.code}", **record.values)
            raise BadInput("suites.no_question", **_place(suite, file), row=number, reason=reason)
        yield record


def _place(suite: Suite, file: Path) -> dict[str, str]:
    """What a sentence on a record names: its file, and where the file as published is."""
    source = suite.source
    published = (
        (f"https://huggingface.co/datasets/{source.hub}" if source.hub else source.about) if source else ""
    )
    return {"file": file.name, "suite": suite.name, "source": published}


def _tests(studio: Studio, suite: Suite, file: Path, scored_by: str) -> Iterator[dict[str, Any]]:
    """Lines of items, made of the tests of either program."""
    if (document := _document(file)) is not None:
        lines = promptfoo.items(document, file.name)
    else:
        lines = _samples(studio, suite, file, scored_by)
    empty = True
    for line in lines:
        empty = False
        yield line
    if empty:
        raise BadInput("data.no_rows", file=file.name)


def _document(file: Path) -> Any:
    """A document of promptfoo; None if it is none. Raises ``BadInput`` for YAML that cannot be read or is none."""
    yaml = file.suffix.lower() in (".yaml", ".yml")
    if not yaml and (file.suffix.lower() != ".json" or file.stat().st_size > _LARGEST):
        return None
    try:
        content = file.read_text(encoding="utf-8")
        document = plain_yaml.load(content) if yaml else json.loads(content)
    except (ValueError, RecursionError) as error:
        if not yaml:
            return None
        raise BadInput("suites.promptfoo_unreadable", file=file.name, reason=str(error)[:300]) from error
    if yaml and not promptfoo.is_document(document):
        raise BadInput("suites.promptfoo_none", file=file.name)
    return document if promptfoo.is_document(document) else None


def _samples(studio: Studio, suite: Suite, file: Path, scored_by: str) -> Iterator[dict[str, Any]]:
    known = ", ".join(openai_evals.CLASSES)
    for number, record in _rows(studio, file):
        if isinstance(record, Rejected):
            reason = texts.text(f"data.row_{record.code}", **record.values)
            raise BadInput("suites.no_sample", file=file.name, row=number, reason=reason)
        if not openai_evals.is_sample(record):
            if number == 1:
                raise NotFound("suites.no_suite", name=suite.name, known=", ".join(SUITES))
            columns = ", ".join(record)[:200]
            raise BadInput("suites.no_sample", file=file.name, row=number, reason=columns)
        if scored_by not in openai_evals.CLASSES:
            raise BadInput("suites.no_class", file=file.name, given=scored_by[:40] or "-", known=known)
        try:
            yield openai_evals.item(record, scored_by, number)
        except (TypeError, ValueError) as error:
            raise BadInput("suites.no_sample", file=file.name, row=number, reason=str(error)) from error
