"""The tables. Every schema change is a numbered file in ``migrations/versions``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, MetaData, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from studio_core.base import clock
from studio_core.base.states import TERMINAL, State

# From the enum, so that the database refuses what the code does not know.
_TERMINAL_SQL = ", ".join(sorted(f"'{state.value}'" for state in TERMINAL))
_STATES_SQL = ", ".join(f"'{state.value}'" for state in State)


def _now() -> datetime:
    """Asks the one clock at each row, so that a test can move it."""
    return clock.now()


class Table(DeclarativeBase):
    # Names by rule, since a migration can only drop what has a name.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012


class Dataset(Table):
    """One immutable version of a dataset: a complete, hashed Parquet file and what is known of it."""

    __tablename__ = "dataset"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[int]
    shape: Mapped[str]
    """A ``studio_core.data.shapes.Shape``."""
    rows: Mapped[int]
    # The first ones show what is wrong with a source; a million of them would only fill the row.
    rejected: Mapped[list[Any]]
    """``[{"row": 12, "reason": "..."}]``: rows of the source that were left out (the first 1,000)."""
    rejected_count: Mapped[int] = mapped_column(default=0)
    sha256: Mapped[str] = mapped_column(index=True)
    file: Mapped[str]
    """Path of the Parquet file below ``datasets/``."""
    bytes: Mapped[int]
    source: Mapped[str]
    """Name of the file that it was made from, as the user called it."""
    mapping: Mapped[dict[str, Any]]
    """How the source's columns became the record's fields."""
    operation: Mapped[str] = mapped_column(server_default="import", default="import")
    """What made it: ``import``, or the name of a curation operation."""
    parents: Mapped[list[Any]] = mapped_column(server_default="[]", default=list)
    """Ids of the versions that it was made from."""
    made: Mapped[dict[str, Any]] = mapped_column(server_default="{}", default=dict)
    """``{"options": ..., "counts": {name: number}}`` of the operation."""
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    """The job that made it."""
    created_at: Mapped[datetime] = mapped_column(default=_now)


class DatasetReport(Table):
    """What was found out about one version, with the token lengths under one tokenizer."""

    __tablename__ = "dataset_report"

    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    tokenizer: Mapped[str] = mapped_column(primary_key=True)
    """Name of the model whose tokenizer counted; empty if none did."""
    body: Mapped[dict[str, Any]]
    """A ``studio_core.reports.Report``."""
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    created_at: Mapped[datetime] = mapped_column(default=_now)


class Model(Table):
    """Something that can be chatted with and trained further."""

    __tablename__ = "model"
    __table_args__ = (CheckConstraint("kind IN ('base', 'adapter', 'full')", name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    """``base``: brought from outside; ``adapter``: LoRA weights on ``parent``; ``full``: all weights."""
    path: Mapped[str]
    """Folder with the weights (of the adapter, if it is one)."""
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("model.id"))
    """The model that it was trained from."""
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"), unique=True)
    """The run that made it."""
    source: Mapped[str] = mapped_column(default="")
    """Where it came from: ``demo``, a folder, or the Hub's name."""
    parameters: Mapped[int] = mapped_column(default=0)
    trust_remote_code: Mapped[bool] = mapped_column(default=False)
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=_now)


class Job(Table):
    """One row in the queue, and afterwards the record of what came of it."""

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint(f"state IN ({_STATES_SQL})", name="state"),
        CheckConstraint(
            f"(finished_at IS NOT NULL) = (state IN ({_TERMINAL_SQL}))", name="finished_iff_terminal"
        ),
        # What the engine asks after each commit: waiting jobs in their order.
        Index("ix_job_order", "state", "priority", "position"),
        # Lists and counts of one kind, with 10,000 jobs in 20 ms.
        Index("ix_job_kind", "kind", "state"),
        # Each waiting job that names another one looks for that one's newest continuation.
        Index("ix_job_resumes", "resumes_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    """``train``, ``data`` or ``serve``."""
    name: Mapped[str]
    method: Mapped[str | None]
    """Of a training its method, of a job on data its operation."""
    spec: Mapped[dict[str, Any]]
    """The ``studio_core.runs.spec`` document: what the form, the YAML file and the command line fill in."""
    state: Mapped[str] = mapped_column(default=State.QUEUED.value)
    cause: Mapped[str | None]
    """A ``states.Cause``, once the job ended otherwise than by finishing."""
    detail: Mapped[str | None]
    """The sentence that goes with the cause."""
    idempotency_key: Mapped[str | None] = mapped_column(unique=True)
    position: Mapped[int]
    """Order among jobs of the same priority; lower starts first."""
    priority: Mapped[int] = mapped_column(server_default="0", default=0)
    """Higher starts first."""
    after_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    """The job that must have succeeded before this one starts."""
    claim_token: Mapped[str | None]
    """Changes with every claim; a write that names an old one changes nothing."""
    stop_request: Mapped[str | None]
    """A ``states.Stop`` that the user asked for."""
    resumes_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    """The job whose newest checkpoint this one starts from."""
    run_dir: Mapped[str | None]
    phase: Mapped[str | None]
    """What the run is doing now: loading, preparing, training, saving, serving."""
    step: Mapped[int] = mapped_column(default=0)
    total_steps: Mapped[int | None]
    latest: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """The newest value of each metric."""
    resolved: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What the worker reported about itself: device, precision, effective batch, versions."""
    peak_memory: Mapped[int | None]
    """Most bytes that its process held so far: of the GPU, or of the machine without one."""
    events_offset: Mapped[int] = mapped_column(default=0)
    """Bytes of ``events.jsonl`` that are in the database already."""
    submitted_at: Mapped[datetime] = mapped_column(default=_now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class JobEvent(Table):
    """Every change of a job's state, with its cause; append-only."""

    __tablename__ = "job_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), index=True)
    at: Mapped[datetime] = mapped_column(default=_now)
    before: Mapped[str | None]
    after: Mapped[str]
    cause: Mapped[str | None]


class Metric(Table):
    """One report of a run: all values of one step."""

    __tablename__ = "metric"

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    """Number of the line in ``events.jsonl``: the same line never counts twice."""
    step: Mapped[int]
    at: Mapped[datetime]
    values: Mapped[dict[str, Any]]
    """``{"loss": 1.25, ...}``; a value that was not a finite number is null."""


class MetricStretch(Table):
    """What a chart keeps of many reports in a row, so that a long run is drawn without reading all of it."""

    __tablename__ = "metric_stretch"

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True)
    level: Mapped[int] = mapped_column(primary_key=True)
    """0: made of a few reports; above: of a few stretches of the level below."""
    last_seq: Mapped[int] = mapped_column(primary_key=True)
    """Number of the newest report in it."""
    last_step: Mapped[int]
    lines: Mapped[dict[str, Any]]
    """``{"loss": [[step, value], ...]}``: the lowest, the highest, and a gap if there was one."""


class RunNote(Table):
    """Other lines that a run reported: answers to the fixed prompts, checkpoints, notices."""

    __tablename__ = "run_note"

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    type: Mapped[str]
    """``sample``, ``checkpoint``, ``notice`` or ``error``."""
    body: Mapped[dict[str, Any]]


class QueueControl(Table):
    """One row: whether the queue is paused. Runs that have begun go on."""

    __tablename__ = "queue_control"
    # A pause that stood in a second row would be seen by some and not by others.
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, default=1)
    paused: Mapped[bool] = mapped_column(default=False)


# Not zero and not a size: such a slot is never free, and a page can say why.
UNREACHABLE = -1
"""``Device.foreign_memory`` of a GPU that does not answer: it is not offered to any run."""


class Device(Table):
    """A slot that one job holds at a time. A job on several GPUs holds several slots."""

    __tablename__ = "device"

    id: Mapped[str] = mapped_column(primary_key=True)
    """A GPU's UUID (``UUID#2`` for a second run on it), ``cpu:0``, or ``serve:0``."""
    kind: Mapped[str]
    """``gpu``, ``cpu``, ``data`` or ``serve``."""
    label: Mapped[str]
    memory: Mapped[int] = mapped_column(default=0)
    """Bytes in all; 0 if not known."""
    foreign_memory: Mapped[int] = mapped_column(server_default="0", default=0)
    """Bytes of this GPU that other programs fill; 0 if it is free for the studio; or ``UNREACHABLE``."""
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))


class Chat(Table):
    """A conversation with two or more models side by side."""

    __tablename__ = "chat"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    models: Mapped[list[Any]]
    """Ids of the models, in the order of the columns."""
    settings: Mapped[dict[str, Any]]
    """System prompt, temperature, top-p, seed, length."""
    created_at: Mapped[datetime] = mapped_column(default=_now)


class ChatRound(Table):
    """One prompt of a conversation and the answer of each side."""

    __tablename__ = "chat_round"
    __table_args__ = (UniqueConstraint("chat_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    chat_id: Mapped[int] = mapped_column(ForeignKey("chat.id"), index=True)
    number: Mapped[int]
    prompt: Mapped[str]
    answers: Mapped[list[Any]]
    """One ``{"model", "answer", "tokens", "seconds", "state", "error"}`` for each side."""
    settings: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=_now)


class Vote(Table):
    """One person's verdict on one round. Never deleted: a new vote supersedes the old one."""

    __tablename__ = "vote"
    __table_args__ = (CheckConstraint("verdict IN ('a', 'b', 'tie', 'both_bad')", name="verdict"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("chat_round.id"), index=True)
    verdict: Mapped[str]
    left: Mapped[int]
    """Which two sides were judged: their places in ``ChatRound.answers``."""
    right: Mapped[int]
    record: Mapped[dict[str, Any]]
    """The preference record: ``{"prompt": [messages], "chosen": ..., "rejected": ...}``, or the pair."""
    superseded_by_id: Mapped[int | None] = mapped_column(ForeignKey("vote.id"))
    created_at: Mapped[datetime] = mapped_column(default=_now)


class LabelProject(Table):
    """Something to label: items made of prompts and answers, and how people are asked about them."""

    __tablename__ = "label_project"
    __table_args__ = (CheckConstraint("mode IN ('pairs', 'rate', 'rank')", name="mode"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    mode: Mapped[str]
    """``pairs``: which of two answers is better; ``rate``: one answer alone; ``rank``: three or more."""
    seed: Mapped[int] = mapped_column(default=0)
    settings: Mapped[dict[str, Any]]
    """A ``studio_core.labeling.projects.ProjectSettings``."""
    sources: Mapped[list[Any]] = mapped_column(default=list)
    """Who writes the answers: ``studio_core.generation.answer_jobs.AnswerSource``; items name them."""
    dataset_id: Mapped[int | None] = mapped_column(ForeignKey("dataset.id"))
    """Where the prompts come from."""
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    """The job that writes the answers."""
    round: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """If it compares two models of a loop: ``{"project", "before", "after", "number"}``."""
    counts: Mapped[dict[str, Any]] = mapped_column(server_default="{}", default=dict)
    """What became of the prompts: ``added``, ``identical``, ``empty``, ``failed``, ``known``, ``held_out``."""
    created_at: Mapped[datetime] = mapped_column(default=_now)


class Guidelines(Table):
    """What annotators are told; a change is a new version, and votes name the one they were cast under."""

    __tablename__ = "label_guidelines"

    project_id: Mapped[int] = mapped_column(ForeignKey("label_project.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=_now)


class LabelItem(Table):
    """One prompt with its answers: what is shown to an annotator at once."""

    __tablename__ = "label_item"
    __table_args__ = (
        UniqueConstraint("project_id", "number"),
        # Whoever adds items, and however often: the same answers to the same prompt are judged as one.
        UniqueConstraint("project_id", "content_hash"),
        # The next item to judge among 100,000 is looked for at each key press.
        Index("ix_label_item_votes", "project_id", "votes"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("label_project.id"))
    number: Mapped[int]
    """From 1, in the order in which items are given out."""
    prompt: Mapped[list[Any]]
    """Messages, system prompt included."""
    prompt_hash: Mapped[str]
    content_hash: Mapped[str]
    """Of prompt and answers: the same item never comes twice."""
    answers: Mapped[list[Any]]
    """``[{"text", "source", "origin", "model"}]``; ``origin``: ``model``, ``dataset`` or ``human_edit``;
    ``model``: id of the studio's model that wrote it, or None."""
    votes: Mapped[int] = mapped_column(default=0)
    """Verdicts by different people that count towards the number wanted."""
    created_at: Mapped[datetime] = mapped_column(default=_now)


class Lease(Table):
    """One annotator is looking at one item, until a time."""

    __tablename__ = "label_lease"

    item_id: Mapped[int] = mapped_column(ForeignKey("label_item.id"), primary_key=True)
    annotator: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("label_project.id"), index=True)
    until: Mapped[datetime]
    order: Mapped[list[Any]]
    """Places of the answers as they are shown, the leftmost first."""
    repeats_id: Mapped[int | None]
    """The vote that this showing repeats, mirrored."""
    draft: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What has been entered and not submitted."""
    since: Mapped[datetime] = mapped_column(default=_now)


class Annotation(Table):
    """One verdict of one annotator, or of a judge, on one item. Never deleted: the newest not undone counts."""

    __tablename__ = "label_vote"
    __table_args__ = (
        Index("ix_label_vote_item", "item_id", "annotator"),
        Index("ix_label_vote_annotator", "project_id", "annotator", "id"),
        Index(
            "ix_label_vote_mine",
            "project_id",
            "annotator",
            sqlite_where=text(
                "repeats_id IS NULL AND origin = 'human' AND undone_at IS NULL AND superseded_by_id IS NULL"
                " AND verdict != 'withdrawn'"
            ),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("label_project.id"))
    item_id: Mapped[int] = mapped_column(ForeignKey("label_item.id"))
    annotator: Mapped[str]
    origin: Mapped[str] = mapped_column(default="human")
    """``human``, ``judge`` or ``adjudicator``."""
    verdict: Mapped[str]
    """Of pairs ``a`` (the first answer of the item), ``b``, ``tie``, ``both_bad``; ``rated``; ``ranked``; ``skip``.
    ``withdrawn`` is none: by this row what they said was taken back."""
    value: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """``{"strength", "rating", "scale", "ranking", "edits": {place: text}, "open"}``, places being those of the
    item's answers; ``open``: it was shown who wrote what. ``begun``, of what was skipped or withdrawn: what the form
    held and the verdict does not say, as a draft. Of judges ``{"said", "may_say_both_bad"}``: what they
    said in either order, and whether they were asked that too."""
    reasons: Mapped[list[Any]] = mapped_column(default=list)
    comment: Mapped[str] = mapped_column(default="")
    order: Mapped[list[Any]]
    """Places of the answers as they were shown, the leftmost first."""
    seconds: Mapped[float] = mapped_column(default=0.0)
    """From showing to submitting."""
    guidelines: Mapped[int] = mapped_column(default=0)
    repeats_id: Mapped[int | None] = mapped_column(ForeignKey("label_vote.id"))
    """The vote that this one repeats, to measure consistency; it does not count beside it."""
    superseded_by_id: Mapped[int | None] = mapped_column(ForeignKey("label_vote.id"))
    undone_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=_now)


class User(Table):
    """A person who may sign in. Never deleted: votes and runs go on naming them."""

    __tablename__ = "user"
    __table_args__ = (CheckConstraint("role IN ('administrator', 'trainer', 'annotator')", name="role"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)
    """The name without differences of case, by which it is found."""
    role: Mapped[str]
    """An ``accounts.Role``."""
    password_hash: Mapped[str]
    must_change: Mapped[bool] = mapped_column(default=False)
    """The password was made by an administrator, and has to be changed before anything else."""
    password_until: Mapped[datetime | None]
    """From when on a password that was made by an administrator opens nothing."""
    totp_secret: Mapped[str | None]
    """What codes of the authenticator app are computed from (RFC 6238), in base 32; none: no code is asked for."""
    totp_step: Mapped[int | None]
    """The time step of the last code that was used: none is taken twice."""
    disabled: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=_now)
    signed_in_at: Mapped[datetime | None]


class UserSession(Table):
    """A browser in which somebody is signed in."""

    __tablename__ = "user_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    """SHA-256 of what the cookie holds: a copy of the database opens no session."""
    created_at: Mapped[datetime] = mapped_column(default=_now)
    seen_at: Mapped[datetime] = mapped_column(default=_now)
    """The last request, give or take a minute."""
    address: Mapped[str | None]
    browser: Mapped[str | None]
    """What the browser calls itself, shortened: for its owner to tell sessions apart."""


class SignInFailure(Table):
    """How often in a row somebody failed to sign in, by name and by address."""

    __tablename__ = "sign_in_failure"

    key: Mapped[str] = mapped_column(primary_key=True)
    """``name:alice`` or ``address:10.0.0.7``."""
    count: Mapped[int]
    last_at: Mapped[datetime]
    locked_until: Mapped[datetime]
