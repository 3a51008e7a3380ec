"""Reads published files: as tables for users, for verification, and to compare two versions of a partition."""
