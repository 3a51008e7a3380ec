"""The HTTP code that all providers share: sessions, retries, deadlines, redirects, downloads, redaction of secrets.

Nothing here depends on a network, a report or Dagster.
"""
