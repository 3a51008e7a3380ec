"""The migrations, oldest first. There is no way back: an upgrade is undone by restoring a backup."""
