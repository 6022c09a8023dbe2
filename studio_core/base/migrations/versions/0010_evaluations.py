"""Evaluations: what one model reached in one suite."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "evaluation",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("job_id", sa.Integer(), sa.ForeignKey("job.id"), nullable=False),
        sa.Column("model_id", sa.Integer(), sa.ForeignKey("model.id"), nullable=True),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("suite", sa.String(), nullable=False),
        sa.Column("questions", sa.String(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.UniqueConstraint("job_id", "model", "suite"),
    )
    op.create_index("ix_evaluation_model", "evaluation", ["model_id", "suite"])
