"""Alembic's entry: runs the numbered files in one write transaction."""

from alembic import context

from studio_core.base.tables import Table

database = context.config.attributes["database"]

with database.engine.connect().execution_options(tunesmith_write=True) as connection:
    # Batch: SQLite cannot change a column in place, so that Alembic copies the table.
    context.configure(connection=connection, target_metadata=Table.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
