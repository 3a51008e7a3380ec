"""Sensors: late data, and alerts about what failed."""
