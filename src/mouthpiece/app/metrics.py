"""What ``/metrics`` says (Prometheus): one worker's counts, and those of all workers put together by the gateway."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from mouthpiece.app.agent_stats import AgentStats
from mouthpiece.live.stage import Stage
from mouthpiece.live.stats import BOUNDS_MS, Histogram, Stats
from mouthpiece.render.stats import RenderStats

log = logging.getLogger(__name__)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
LAG_EVERY_S: Final = 0.25
SCRAPE_TIMEOUT_S: Final = 1.0


class LoopLag:
    """How late the event loop wakes: what it is asked to do in 250 ms, minus 250 ms."""

    def __init__(self) -> None:
        self.histogram = Histogram()

    async def watch(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self.histogram.add(max(0.0, loop.time() - due))


@dataclass(frozen=True, slots=True)
class Counted:
    """What runs in a process and is counted there."""

    stage: Stage | None = None
    agents: AgentStats | None = None
    films: RenderStats | None = None


class WorkerCollector(Collector):
    """The counts of one process, labelled with its name."""

    def __init__(self, worker: str, lag: LoopLag, counted: Counted) -> None:
        self._worker = worker
        self._films = counted.films
        self._stage = counted.stage
        self._agents = counted.agents
        self._lag = lag

    def collect(self) -> Iterator[Metric]:
        """Every metric, as it stands now."""
        yield self._histogram("loop_lag", "how late the event loop wakes", self._lag.histogram)
        if self._stage is not None:
            yield self._gauge("sessions", "sessions on stage", self._stage.running())
            yield self._gauge("load", "fraction of one core that sessions use", self._stage.load)
            yield from self._stats(self._stage.stats)
        if self._agents is not None:
            yield from self._conversations(self._agents)
        if self._films is not None:
            yield self._gauge("renders", "videos that are being rendered", self._films.running)
            yield self._counter("renders_ended", "render jobs over", self._films.ended, "how")
            yield self._counter("renders_refused", "videos not taken into the queue", self._films.refused, "code")

    def _stats(self, stats: Stats) -> Iterator[Metric]:
        yield self._counter("sessions_started", "sessions opened", {"": stats.started})
        yield self._counter("sessions_ended", "sessions over", stats.ended, "reason")
        yield self._counter("sessions_refused", "sessions refused", stats.refused, "code")
        yield self._counter("ticks", "media ticks", {"run": stats.ticks, "skipped": stats.skipped_ticks}, "kind")
        yield self._counter("sounds", "sound packets sent", {"": stats.sounds})
        pictures = {"own": stats.pictures, "shared": stats.idle_pictures}
        yield self._counter("pictures", "pictures drawn", pictures, "kind")
        yield self._counter("late_pictures", "pictures dropped for being late", {"": stats.late_pictures})
        yield self._counter("refused_samples", "samples refused over the backlog", {"": stats.refused_samples})
        stages = {"sound": stats.sound_s, "mouth": stats.show_s, "draw": stats.draw_s, "encode": stats.encode_s}
        yield self._counter("cpu_seconds", "CPU time of media, by stage", stages, "stage")
        yield self._histogram("sound_lateness", "how late sound leaves", stats.sound_lateness)
        yield self._histogram("picture_lateness", "how late pictures leave", stats.picture_lateness)
        yield self._histogram("first_picture", "answer to first picture", stats.first_picture)

    def _conversations(self, agents: AgentStats) -> Iterator[Metric]:
        yield self._gauge("conversations", "voice conversations that are held", agents.running)
        yield self._counter("conversations_started", "voice conversations begun", {"": agents.started})
        yield self._counter("conversation_lines", "what was said in them, by whom", agents.said, "who")
        yield self._counter("conversation_faults", "providers that failed in them", agents.faults, "stage")
        waits = self._family("turn", "from the end of the user's speech, by stage", "stage")
        for stage, counted in agents.turns.items():
            _fill(waits, [self._worker, stage], counted)
        yield waits

    def _gauge(self, name: str, text: str, value: float) -> Metric:
        family = GaugeMetricFamily(f"mouthpiece_{name}", text, labels=["worker"])
        family.add_metric([self._worker], value)
        return family

    def _counter(self, name: str, text: str, values: Mapping[str, float], label: str | None = None) -> Metric:
        labels = ["worker"] if label is None else ["worker", label]
        family = CounterMetricFamily(f"mouthpiece_{name}", text, labels=labels)
        for value_of, value in values.items():
            family.add_metric([self._worker] if label is None else [self._worker, str(value_of)], value)
        return family

    def _histogram(self, name: str, text: str, counted: Histogram) -> Metric:
        family = self._family(name, text)
        _fill(family, [self._worker], counted)
        return family

    def _family(self, name: str, text: str, *labels: str) -> HistogramMetricFamily:
        return HistogramMetricFamily(f"mouthpiece_{name}_seconds", text, labels=["worker", *labels])


def _fill(family: HistogramMetricFamily, labels: Sequence[str], counted: Histogram) -> None:
    buckets, so_far = [], 0
    for bound, count in zip((*(f"{ms / 1000:g}" for ms in BOUNDS_MS), "+Inf"), counted.counts, strict=True):
        so_far += count
        buckets.append((bound, float(so_far)))
    family.add_metric(labels, buckets, counted.total_ms / 1000)


def registry(worker: str, lag: LoopLag, counted: Counted) -> CollectorRegistry:
    """What one process exposes."""
    made = CollectorRegistry()
    made.register(WorkerCollector(worker, lag, counted))
    if worker == GATEWAY:
        ProcessCollector(registry=made)
        PlatformCollector(registry=made)
    return made


GATEWAY: Final = "gateway"


def exposition(made: CollectorRegistry) -> str:
    """One process's metrics as text."""
    return generate_latest(made).decode()


async def gathered(own: str, workers: Sequence[Path]) -> str:
    """This process's metrics and its workers', each family once. A worker that does not answer is left out."""
    texts = await asyncio.gather(*(_scrape(address) for address in workers))
    return merged([own, *filter(None, texts)])


async def _scrape(address: Path) -> str | None:
    transport = httpx.AsyncHTTPTransport(uds=str(address))
    try:
        async with httpx.AsyncClient(transport=transport, timeout=SCRAPE_TIMEOUT_S, trust_env=False) as client:
            return (await client.get("http://worker/metrics")).text
    except httpx.HTTPError as error:
        log.warning("a media worker does not tell its metrics: %s", type(error).__name__)
        return None


def merged(texts: Sequence[str]) -> str:
    """Expositions put together: samples of the same family stand under one heading."""
    families: dict[str, Metric] = {}
    for text in texts:
        for family in text_string_to_metric_families(text):
            known = families.setdefault(family.name, family)
            if known is not family:
                known.samples.extend(family.samples)
    made = CollectorRegistry()
    made.register(_Fixed(list(families.values())))
    return exposition(made)


class _Fixed(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)
