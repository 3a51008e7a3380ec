"""Bytes of a response become typed Arrow batches: delimited text and JSON, values, times, personal data.

A value is read exactly or refused. Nothing is written here, and no partition is judged here.
"""
