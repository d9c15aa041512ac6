"""``python -m mouthpiece`` is the same as ``mouthpiece``."""

from mouthpiece.cli.main import app

app()
