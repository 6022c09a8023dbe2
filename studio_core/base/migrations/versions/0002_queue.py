"""The queue's order, dependencies and pause; runs on several GPUs; memory that was really used."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("job", sa.Column("priority", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("job", sa.Column("peak_memory", sa.Integer(), nullable=True))
    # SQLite adds a column with its reference in place; a new table would break those that point to this one.
    op.execute("ALTER TABLE job ADD COLUMN after_id INTEGER CONSTRAINT fk_job_after_id REFERENCES job (id)")
    op.drop_index("ix_job_queue", "job")
    op.create_index("ix_job_order", "job", ["state", "priority", "position"], unique=False)
    with op.batch_alter_table("device") as device:
        device.drop_constraint("uq_device_job_id", type_="unique")
        device.add_column(sa.Column("foreign_memory", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "queue_control",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_queue_control_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queue_control")),
    )
