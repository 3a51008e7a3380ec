"""Published files read back: as tables for users, for verification, and to compare two versions of a partition."""
