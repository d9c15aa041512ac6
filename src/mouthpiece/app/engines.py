"""The mouth engine from outside that the settings name, or a clear word why the mesh engine draws alone."""

from __future__ import annotations

import logging
import time

from mouthpiece.errors import NotConfigured
from mouthpiece.face.engines import Budget, MouthMaker, open_engine
from mouthpiece.settings import EngineSettings

log = logging.getLogger(__name__)


def open_maker(settings: EngineSettings) -> MouthMaker | None:
    """The engine, for live sessions; None where none is wanted, or where it cannot be had, which is logged."""
    if settings.name is None:
        return None
    try:
        engine = open_engine(settings.name, str(settings.file or ""))
    except NotConfigured as fault:
        log.warning("%s; the mesh engine draws every mouth", fault)
        return None
    info = engine.info
    log.info("engine %s on %s (licence: %s); sound waits %d ms", info.name, info.device, info.licence, info.latency_ms)
    return MouthMaker(engine, Budget(settings.budget_ms / 1000, time.perf_counter, log.warning))
