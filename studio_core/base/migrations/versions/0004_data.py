"""Versions of datasets know what made them; reports on them are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("dataset", sa.Column("operation", sa.String(), nullable=False, server_default="import"))
    op.add_column("dataset", sa.Column("parents", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("dataset", sa.Column("made", sa.JSON(), nullable=False, server_default="{}"))
    # As in 0002: a column with its reference, in place.
    op.execute("ALTER TABLE dataset ADD COLUMN job_id INTEGER CONSTRAINT fk_dataset_job_id REFERENCES job (id)")
    op.create_table(
        "dataset_report",
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("tokenizer", sa.String(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name=op.f("fk_dataset_report_dataset_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_dataset_report_job_id")),
        sa.PrimaryKeyConstraint("dataset_id", "tokenizer", name=op.f("pk_dataset_report")),
    )
