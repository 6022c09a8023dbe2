"""What became of the answers that were written for a project to label; votes of a person are counted fast."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("label_project", sa.Column("counts", sa.JSON(), nullable=False, server_default="{}"))
    # After every vote a person is told how many they cast.
    op.create_index(
        "ix_label_vote_mine",
        "label_vote",
        ["project_id", "annotator"],
        sqlite_where=sa.text(
            "repeats_id IS NULL AND origin = 'human' AND undone_at IS NULL AND superseded_by_id IS NULL"
        ),
    )
