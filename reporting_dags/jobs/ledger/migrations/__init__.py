"""Migrations of the ledger's tables: one module in `versions` for each change of the schema.

A module here has Alembic's `revision` and `down_revision`, and a function `upgrade(op)`. It gets its operations as an
argument and there is no `env.py`: Alembic's own way sets variables of the process, which Dagster's storage sets too, in
other threads. A migration is frozen once it is released: it names its columns itself, and imports nothing of the
package.
"""
