"""The tables, by subject. Every schema change is a numbered file in ``migrations/versions``."""

from studio_core.base.tables.base import Table
from studio_core.base.tables.chat import Chat, ChatRound, Vote
from studio_core.base.tables.data import Dataset, DatasetReport, Model
from studio_core.base.tables.evaluation import Evaluation
from studio_core.base.tables.keeping import Deletion, Mark
from studio_core.base.tables.labeling import Annotation, Guidelines, LabelItem, LabelProject, Lease
from studio_core.base.tables.notices import Notice, NoticeChannel, RunLink
from studio_core.base.tables.people import SignInFailure, User, UserSession
from studio_core.base.tables.runs import (
    UNREACHABLE,
    Device,
    Job,
    JobEvent,
    Metric,
    MetricStretch,
    QueueControl,
    RunNote,
)

__all__ = [
    "UNREACHABLE",
    "Annotation",
    "Chat",
    "ChatRound",
    "Dataset",
    "DatasetReport",
    "Deletion",
    "Device",
    "Evaluation",
    "Guidelines",
    "Job",
    "JobEvent",
    "LabelItem",
    "LabelProject",
    "Lease",
    "Mark",
    "Metric",
    "MetricStretch",
    "Model",
    "Notice",
    "NoticeChannel",
    "QueueControl",
    "RunLink",
    "RunNote",
    "SignInFailure",
    "Table",
    "User",
    "UserSession",
    "Vote",
]
