"""Labeling projects that were archived by their settings are marked as archived, as everything else is."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.execute("""
        INSERT OR IGNORE INTO mark ("table", row_id, starred, archived, tags, note, card)
        SELECT 'label_project', id, 0, 1, '[]', '', '' FROM label_project
        WHERE json_extract(settings, '$.archived') = 1
    """)
    # Of one that was marked before.
    op.execute("""
        UPDATE mark SET archived = 1 WHERE "table" = 'label_project' AND row_id IN
        (SELECT id FROM label_project WHERE json_extract(settings, '$.archived') = 1)
    """)
