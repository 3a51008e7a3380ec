"""Mintegral Advanced Performance: one request creates a report, the same request later downloads it."""
