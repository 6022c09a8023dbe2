"""Long runs are condensed for their charts, and long lists of jobs are counted by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index("ix_job_kind", "job", ["kind", "state"], unique=False)
    op.create_index("ix_job_resumes", "job", ["resumes_id"], unique=False)
    op.create_table(
        "metric_stretch",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("last_step", sa.Integer(), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_metric_stretch_job_id")),
        sa.PrimaryKeyConstraint("job_id", "level", "last_seq", name=op.f("pk_metric_stretch")),
    )
