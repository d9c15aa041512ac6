"""Running sessions and the media tick."""
