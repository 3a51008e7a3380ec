"""Integr8: logs from the Download Center or from report tables, and entity lists."""
