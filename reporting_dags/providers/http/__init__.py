"""What every HTTP provider shares: sessions, retries, deadlines, redirects, downloads, redaction of secrets.

Nothing here knows a network, a report or Dagster.
"""
