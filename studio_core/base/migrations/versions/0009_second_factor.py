"""Codes of an authenticator app, one-time passwords that expire, and sessions that their owner can tell apart."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("user", sa.Column("password_until", sa.DateTime(), nullable=True))
    op.add_column("user", sa.Column("totp_secret", sa.String(), nullable=True))
    op.add_column("user", sa.Column("totp_step", sa.Integer(), nullable=True))
    op.add_column("user_session", sa.Column("address", sa.String(), nullable=True))
    op.add_column("user_session", sa.Column("browser", sa.String(), nullable=True))
