"""What a person took back is a row that is no vote: those are left out where a person's votes are counted fast."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.drop_index("ix_label_vote_mine", "label_vote")
    op.create_index(
        "ix_label_vote_mine",
        "label_vote",
        ["project_id", "annotator"],
        sqlite_where=sa.text(
            "repeats_id IS NULL AND origin = 'human' AND undone_at IS NULL AND superseded_by_id IS NULL"
            " AND verdict != 'withdrawn'"
        ),
    )
