"""What the renderers of one server count."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class RenderStats:
    """``ended``: jobs by ``done``, ``failed``, ``died``; ``refused``: orders by error code; ``running``: now."""

    ended: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    running: int = 0
