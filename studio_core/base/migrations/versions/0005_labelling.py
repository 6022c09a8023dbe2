"""Projects to label: items, leases, votes."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table('label_project',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('mode', sa.String(), nullable=False),
    sa.Column('seed', sa.Integer(), nullable=False),
    sa.Column('settings', sa.JSON(), nullable=False),
    sa.Column('sources', sa.JSON(), nullable=False),
    sa.Column('dataset_id', sa.Integer(), nullable=True),
    sa.Column('job_id', sa.Integer(), nullable=True),
    sa.Column('round', sa.JSON(), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.CheckConstraint("mode IN ('pairs', 'rate', 'rank')", name=op.f('ck_label_project_mode')),
    sa.ForeignKeyConstraint(['dataset_id'], ['dataset.id'], name=op.f('fk_label_project_dataset_id')),
    sa.ForeignKeyConstraint(['job_id'], ['job.id'], name=op.f('fk_label_project_job_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_label_project')),
    sa.UniqueConstraint('name', name=op.f('uq_label_project_name'))
    )
    op.create_table('label_guidelines',
    sa.Column('project_id', sa.Integer(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('text', sa.String(), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['project_id'], ['label_project.id'], name=op.f('fk_label_guidelines_project_id')),
    sa.PrimaryKeyConstraint('project_id', 'version', name=op.f('pk_label_guidelines'))
    )
    op.create_table('label_item',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('project_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('prompt', sa.JSON(), nullable=False),
    sa.Column('prompt_hash', sa.String(), nullable=False),
    sa.Column('content_hash', sa.String(), nullable=False),
    sa.Column('answers', sa.JSON(), nullable=False),
    sa.Column('votes', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['project_id'], ['label_project.id'], name=op.f('fk_label_item_project_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_label_item')),
    sa.UniqueConstraint('project_id', 'content_hash', name=op.f('uq_label_item_project_id_content_hash')),
    sa.UniqueConstraint('project_id', 'number', name=op.f('uq_label_item_project_id_number'))
    )
    op.create_index('ix_label_item_votes', 'label_item', ['project_id', 'votes'], unique=False)
    op.create_table('label_lease',
    sa.Column('item_id', sa.Integer(), nullable=False),
    sa.Column('annotator', sa.String(), nullable=False),
    sa.Column('project_id', sa.Integer(), nullable=False),
    sa.Column('until', sa.DateTime(), nullable=False),
    sa.Column('order', sa.JSON(), nullable=False),
    sa.Column('repeats_id', sa.Integer(), nullable=True),
    sa.Column('draft', sa.JSON(), nullable=False),
    sa.Column('since', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['item_id'], ['label_item.id'], name=op.f('fk_label_lease_item_id')),
    sa.ForeignKeyConstraint(['project_id'], ['label_project.id'], name=op.f('fk_label_lease_project_id')),
    sa.PrimaryKeyConstraint('item_id', 'annotator', name=op.f('pk_label_lease'))
    )
    op.create_index(op.f('ix_label_lease_project_id'), 'label_lease', ['project_id'], unique=False)
    op.create_table('label_vote',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('project_id', sa.Integer(), nullable=False),
    sa.Column('item_id', sa.Integer(), nullable=False),
    sa.Column('annotator', sa.String(), nullable=False),
    sa.Column('origin', sa.String(), nullable=False),
    sa.Column('verdict', sa.String(), nullable=False),
    sa.Column('value', sa.JSON(), nullable=False),
    sa.Column('reasons', sa.JSON(), nullable=False),
    sa.Column('comment', sa.String(), nullable=False),
    sa.Column('order', sa.JSON(), nullable=False),
    sa.Column('seconds', sa.Double(), nullable=False),
    sa.Column('guidelines', sa.Integer(), nullable=False),
    sa.Column('repeats_id', sa.Integer(), nullable=True),
    sa.Column('superseded_by_id', sa.Integer(), nullable=True),
    sa.Column('undone_at', sa.DateTime(), nullable=True),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['item_id'], ['label_item.id'], name=op.f('fk_label_vote_item_id')),
    sa.ForeignKeyConstraint(['project_id'], ['label_project.id'], name=op.f('fk_label_vote_project_id')),
    sa.ForeignKeyConstraint(['repeats_id'], ['label_vote.id'], name=op.f('fk_label_vote_repeats_id')),
    sa.ForeignKeyConstraint(['superseded_by_id'], ['label_vote.id'], name=op.f('fk_label_vote_superseded_by_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_label_vote'))
    )
    op.create_index('ix_label_vote_annotator', 'label_vote', ['project_id', 'annotator', 'id'], unique=False)
    op.create_index('ix_label_vote_item', 'label_vote', ['item_id', 'annotator'], unique=False)
