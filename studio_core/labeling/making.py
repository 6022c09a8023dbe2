"""Answers to be judged, written by models: prompts come in, and a job writes items for a project."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from studio_core import rewards
from studio_core.base.errors import BadInput, Conflict
from studio_core.base.states import TERMINAL
from studio_core.base.studio import Studio
from studio_core.base.tables import Dataset, Job, LabelProject
from studio_core.base.validation import validate
from studio_core.curation import making as data_jobs
from studio_core.curation.asking import asked_of
from studio_core.data import parquet, versions
from studio_core.data.shapes import Message
from studio_core.generation import services
from studio_core.generation.answer_jobs import AnswerSource, AnswersSpec
from studio_core.labeling import projects, writing
from studio_core.labeling.items import is_held_out, prompt_hash, whole_hash
from studio_core.labeling.projects import settings_of
from studio_core.labeling.writing import ANSWERS
from studio_core.models import registry
from studio_core.runs import queue
from studio_core.runs.spec import DataSpec

SOURCES = {"pairs": (1, 8), "rate": (1, 8), "rank": (3, 8)}
"""Fewest and most sources of a project, by its mode."""
_MOST_CHARACTERS = 2_000_000
"""Of pasted prompts."""


@dataclass(frozen=True)
class NewPrompt:
    messages: list[Message]
    record: dict[str, Any] = field(default_factory=dict)
    """What else is known of it, such as a reference answer: rewards look into it."""


def create(
    studio: Studio,
    name: str,
    prompts: Iterable[NewPrompt],
    sources: Sequence[AnswerSource],
    *,
    mode: str = "pairs",
    settings: dict[str, Any] | None = None,
    guidelines: str = "",
    dataset_id: int | None = None,
    round: dict[str, Any] | None = None,
    every_pair: bool = False,
    seed: int = 0,
) -> tuple[LabelProject, Job]:
    """A project and the job that writes its answers; each prompt is taken once.

    Prompts that the project holds out (``held_out`` of its settings) get no answers: they are kept for
    comparing models. A project with ``round`` holds none out.
    """
    # Before anything is written: what cannot answer leaves no project behind.
    checked = checked_sources(studio, sources, mode)
    settings = {**(settings or {}), **({"held_out": 0.0} if round else {})}
    share = projects.checked_settings(settings).held_out
    # Beside its place, so that taking it is one rename; with a dot, so that nobody takes it for a project.
    folder = Path(tempfile.mkdtemp(prefix=".", dir=_folder(studio)))
    try:
        prompt_file, held_out = _write(folder, 1, prompts, share, set())
        if not prompt_file:
            raise BadInput("labeling.making_no_prompts", held_out=held_out)
        project = projects.create(
            studio,
            name,
            mode=mode,
            settings=settings,
            sources=[source.model_dump() for source in checked],
            guidelines=guidelines,
            dataset_id=dataset_id,
            seed=seed,
            round=round,
        )
        _take_place(folder, _folder(studio, project.id))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _submitted(studio, project.id, checked, 1, held_out, every_pair)


def more(
    studio: Studio,
    project: str | int,
    prompts: Iterable[NewPrompt] | None = None,
    sources: Sequence[AnswerSource] | None = None,
    *,
    for_round: bool = False,
) -> Job:
    """Answers to further prompts; those that the project has already are passed over.

    New ``sources`` take the place of the old ones, such as the model that was trained on the votes so far:
    then the prompts that the project has may be answered again, and are if no others are given.
    ``for_round``: the prompts were chosen by ``rounds``, which alone knows those that a round may have.
    """
    row = projects.get(studio, project)
    if row.round and not for_round:
        raise Conflict("labeling.making_of_round", project=row.name)
    last = job_of(studio, row)
    if last is None or not row.sources:
        raise BadInput("labeling.making_no_sources", project=row.name)
    if last.state not in TERMINAL:
        raise Conflict("labeling.making_under_way", project=row.name, job=last.id)
    asked = sources or [AnswerSource.model_validate(source) for source in row.sources]
    checked = checked_sources(studio, asked, row.mode)
    folder = _folder(studio, row.id)
    # Never written to again, a file says which job was given which prompts.
    number = 1 + len(list(folder.glob("prompts-*.jsonl")))
    earlier = {whole_hash(prompt.messages) for prompt in prompts_of(studio, row, True if sources else None)}
    if prompts is None:
        prompts = list(prompts_of(studio, row, False))
    prompt_file, held_out = _write(folder, number, prompts, settings_of(row).held_out, earlier)
    if not prompt_file:
        raise BadInput("labeling.making_no_prompts", held_out=held_out)
    with studio.db.write() as session:
        session.get_one(LabelProject, row.id).sources = [source.model_dump() for source in checked]
    every_pair = bool(last.spec["options"]["every_pair"])
    return _submitted(studio, row.id, checked, number, held_out, every_pair)[1]


def _submitted(
    studio: Studio,
    project_id: int,
    sources: Sequence[AnswerSource],
    number: int,
    held_out: int,
    every_pair: bool,
) -> tuple[LabelProject, Job]:
    project = projects.get(studio, project_id)
    asked = AnswersSpec(
        project=project.id,
        mode=project.mode,
        sources=list(sources),
        prompts=str(_folder(studio, project.id) / f"prompts-{number}.jsonl"),
        every_pair=every_pair,
        seed=project.seed + number,
    ).model_dump()
    models = {
        f"source_{place}": registry.resolve(studio, source.model)
        for place, source in enumerate(sources)
        if source.model
    }
    spec = DataSpec(name=project.name[:80], operation=ANSWERS, options=asked)
    job = data_jobs.enqueue(studio, spec, options=asked, models=models, needs_model=bool(models))
    with studio.db.write() as session:
        stored = session.get_one(LabelProject, project.id)
        stored.job_id = job.id
        writing.count(stored, Counter(held_out=held_out))
        return stored, job


def job_of(studio: Studio, project: LabelProject) -> Job | None:
    """The job that writes answers for a project, or the newest that did."""
    if project.job_id is None:
        return None
    return queue.last_of_chain(studio, queue.get(studio, project.job_id))


def is_under_way(studio: Studio, project: LabelProject) -> bool:
    """Whether more items may come by themselves."""
    job = job_of(studio, project)
    return job is not None and job.state not in TERMINAL


def checked_sources(studio: Studio, sources: Sequence[AnswerSource], mode: str) -> list[AnswerSource]:
    """The sources with names of their own; raises what keeps them from answering."""
    if mode not in SOURCES:
        raise BadInput("labeling.unknown_mode", mode=mode[:40], known=", ".join(SOURCES))
    fewest, most = SOURCES[mode]
    best_of = any(source.best_of > 1 for source in sources)
    if mode == "pairs" and not best_of:
        fewest = 2
    if not fewest <= len(sources) <= most:
        raise BadInput("labeling.making_sources", mode=mode, fewest=fewest, most=most, given=len(sources))
    if best_of and (mode != "pairs" or len(sources) > 1):
        raise BadInput("labeling.making_best_of")
    named: list[AnswerSource] = []
    for source in sources:
        name = _checked_source(studio, source)
        named.append(source.model_copy(update={"name": source.name.strip() or name}))
    return _told_apart(named, sources)


def _checked_source(studio: Studio, source: AnswerSource) -> str:
    """Its model or service must be there; returns what that is called."""
    if bool(source.model) == bool(source.service):
        raise BadInput("generation.one_of", model="model", service="service")
    if source.best_of > 1:
        rewards.stored_score(source.reward, source.reward_options, source.setting)
    if source.service:
        return services.get(studio.settings.home / services.FILE, source.service).name
    return registry.resolve(studio, source.model).name


def _told_apart(named: list[AnswerSource], sources: Sequence[AnswerSource]) -> list[AnswerSource]:
    """Sources of one model get names that say what is different: the temperature, the system prompt, a number."""
    by_name = Counter(source.name for source in named)
    renamed: list[AnswerSource] = []
    for source, before in zip(named, sources, strict=True):
        alike = [one for one in named if one.name == source.name]
        name = source.name
        if by_name[source.name] > 1 and not before.name.strip():
            if len({one.temperature for one in alike}) > 1:
                name += f" at {source.temperature:g}"
            if len({one.system for one in alike}) > 1:
                system = " ".join(source.system.split())
                name += f" “{system[:24]}{'…' if len(system) > 24 else ''}”" if system else " –"
        # Ten characters less than a name may have: room for a number behind it.
        renamed.append(source.model_copy(update={"name": name[:70]}))
    met: Counter[str] = Counter()
    for place, source in enumerate(renamed):
        met[source.name] += 1
        if met[source.name] > 1:
            renamed[place] = source.model_copy(update={"name": f"{source.name} ({met[source.name]})"})
    return renamed


def prompts_of_dataset(
    studio: Studio,
    dataset: Dataset,
    *,
    limit: int | None = None,
    held_out: bool | None = None,
    share: float = 0.1,
) -> Iterator[NewPrompt]:
    """What the records of a dataset ask, each once, in their order; records that ask nothing are passed over.

    ``held_out``: only those, or only not those, that a project holding out ``share`` of its prompts keeps.
    """
    count, hashes = 0, set[str]()
    for record in parquet.read(versions.parquet_path(studio, dataset)):
        if limit is not None and count >= limit:
            return
        messages = _ending_in_a_question(asked_of(record))
        # With the system prompt: under another one the same question may well be asked again.
        hash = whole_hash(messages)
        if (
            not messages
            or hash in hashes
            or held_out not in (None, is_held_out(prompt_hash(messages), share))
        ):
            continue
        hashes.add(hash)
        count += 1
        yield NewPrompt(messages, {name: value for name, value in record.items() if name != "prompt"})


def _ending_in_a_question(messages: Sequence[Message]) -> list[Message]:
    """A conversation up to its last question; nothing if there is none."""
    last = max((place for place, message in enumerate(messages) if message["role"] == "user"), default=-1)
    return list(messages[: last + 1])


def prompts_of_text(text: str) -> list[NewPrompt]:
    """One prompt a line; where blank lines stand between, one prompt a block."""
    if len(text) > _MOST_CHARACTERS:
        raise BadInput("labeling.text_long", characters=len(text), limit=_MOST_CHARACTERS)
    lines = [line.rstrip() for line in text.strip().splitlines()]
    # Nobody leaves a blank line in a list of one-liners; whoever does writes longer prompts.
    blocks = "\n".join(lines).split("\n\n") if "" in lines else lines
    return [NewPrompt([{"role": "user", "content": block.strip()}]) for block in blocks if block.strip()]


def prompts_of(studio: Studio, project: LabelProject, held_out: bool | None = None) -> Iterator[NewPrompt]:
    """The prompts that a project was given, each once: all, those held out, or those that were not."""
    patterns = {None: ("prompts-*", "held-out-*"), False: ("prompts-*",), True: ("held-out-*",)}[held_out]
    hashes: set[str] = set()
    for pattern in patterns:
        for file in sorted(_folder(studio, project.id).glob(f"{pattern}.jsonl")):
            with open(file, encoding="utf-8") as lines:
                for document in map(json.loads, lines):
                    hash = whole_hash(document["prompt"])
                    if hash not in hashes:
                        hashes.add(hash)
                        yield NewPrompt(document["prompt"], document.get("record", {}))


def _folder(studio: Studio, project_id: int | None = None) -> Path:
    folder = studio.settings.labelling
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder if project_id is None else folder / str(project_id)


def _take_place(folder: Path, place: Path) -> None:
    """Move a folder there. What lies there is of a project that an older copy of the database does not know."""
    if place.exists():
        # Kept under another name: it is a person's, and a restored backup may want it again.
        os.replace(place, tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    os.replace(folder, place)


def _write(
    folder: Path, number: int, prompts: Iterable[NewPrompt], share: float, earlier: set[str]
) -> tuple[int, int]:
    """Write new prompts to ``prompts-N.jsonl`` and ``held-out-N.jsonl``; returns how many went to each."""
    counts = [0, 0]
    folder.mkdir(exist_ok=True, mode=0o700)
    paths = [folder / f"{name}-{number}.jsonl" for name in ("prompts", "held-out")]
    with (
        open(paths[0], "w", encoding="utf-8") as prompt_file,
        open(paths[1], "w", encoding="utf-8") as held_file,
    ):
        files: tuple[IO[str], IO[str]] = (prompt_file, held_file)
        for prompt in prompts:
            hash = whole_hash(prompt.messages)
            if hash in earlier:
                continue
            earlier.add(hash)
            # By the prompt alone, so that a project made again of the same dataset holds out the same.
            side = is_held_out(prompt_hash(prompt.messages), share)
            document = {"prompt": prompt.messages, "record": prompt.record}
            files[side].write(json.dumps(document, ensure_ascii=False) + "\n")
            counts[side] += 1
    if not counts[0]:
        for path in paths:
            path.unlink()
    return counts[0], counts[1]


def source_of(
    text: str, *, system: str = "", services_known: Sequence[str] = (), **given: Any
) -> AnswerSource:
    """A source as it is typed: MODEL, MODEL:TEMPERATURE, or the name of a service likewise."""
    name, colon, temperature = text.strip().rpartition(":")
    try:
        number = float(temperature) if colon else None
    except ValueError:
        number = None
    if number is None:
        name = text.strip()
    asked: dict[str, Any] = {
        "service" if name in services_known else "model": name,
        "system": system,
        **given,
    }
    return checked_source(**asked, **({} if number is None else {"temperature": number}))


def checked_source(**values: Any) -> AnswerSource:
    """A source as a person typed it; raises ``BadInput`` that names what will not do."""
    return validate(AnswerSource, values, "labeling.making_source_invalid")
