"""Where files are kept: a local folder or a bucket, with atomic and conditional replacement; and local work folders.

Stores know keys and bytes; what a file contains is not their concern.
"""
