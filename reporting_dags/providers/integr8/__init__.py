"""Integr8: logs by the Download Center or by report tables, and entity lists."""
