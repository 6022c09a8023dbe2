"""What became of the answers that were written for a project to label."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("label_project", sa.Column("counts", sa.JSON(), nullable=False, server_default="{}"))
