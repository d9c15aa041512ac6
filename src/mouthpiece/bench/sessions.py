"""What sessions cost: CPU-seconds per session-second, stage by stage, from one to many, talking and idle."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import numpy as np

from mouthpiece.bench.apart import wait_for
from mouthpiece.bench.encoders import Floor, measure_floor
from mouthpiece.bench.report import Aim, Cell, Report, at_most
from mouthpiece.bench.rooms import LiveKit, Rooms, rooms
from mouthpiece.bench.server import KEY, Server, cpu_of, running
from mouthpiece.bench.speech import speech, speech_file
from mouthpiece.bench.viewer import Outcome, Plan, outcome, watching
from mouthpiece.errors import Unavailable
from mouthpiece.media import SAMPLE_RATE

RENDERER: Final = "mouthpiece.render.child"
VIDEO_S: Final = 240
"""Seconds of the video beside a load: rendered eight times as fast as it plays, it outlasts that."""
STAGES: Final = ("sound", "mouth", "draw", "encode")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Load:
    """How many sessions, talking or not, for how long, on how many worker processes.

    ``subscribers``: in LiveKit rooms, each with so many; None: peer to peer. ``rendering``: while the server renders a
    video too.
    """

    sessions: int
    talking: bool
    seconds: float = 10.0
    workers: int = 0
    subscribers: int | None = None
    rendering: bool = False

    @property
    def name(self) -> str:
        """For people."""
        way = "" if self.subscribers is None else f" in a room with {self.subscribers}"
        return (
            f"{self.sessions} {'talking' if self.talking else 'idle'}{way}{' beside a video' if self.rendering else ''}"
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """What a load cost: the server, by stage, and the receivers; lateness as the server saw it.

    ``cpu_s`` is without ``render_s``, which went into the video beside it.
    """

    load: Load
    cpu_s: float
    stages: dict[str, float]
    receivers_s: float
    pictures: int
    late: int
    sound_p99_ms: float
    received: Outcome
    livekit_s: float | None
    render_s: float | None

    @property
    def per_session(self) -> float:
        """CPU-seconds of the server per session-second."""
        return self.cpu_s / self.load.seconds / self.load.sessions

    @property
    def late_share(self) -> float:
        """Fraction of pictures that were dropped for being late."""
        return self.late / max(1, self.late + self.pictures)


def run(loads: Sequence[Load], livekit: LiveKit | None, say: Say) -> Report:
    """Run every load on a fresh server, and compare with the bare encoders, run in between.

    Loads in rooms need ``livekit``. Raises NotConfigured, Unavailable without it.
    """
    floor = measure_floor(speech())
    say(f"bare encoders: {floor.both:.4f} CPU-s/s")
    costs = []
    with rooms(livekit) if livekit else nullcontext() as house:
        for load in loads:
            costs.append(measure(load, None if load.subscribers is None else house))
            say(f"{load.name}: {costs[-1].per_session:.4f} CPU-s/s each")
    return Report("sessions", [_row(cost, floor) for cost in costs], _aims(costs, floor), _notes(floor))


def measure(load: Load, house: Rooms | None = None) -> Cost:
    """One load on a server of its own, peer to peer or in the rooms of ``house``."""
    environ = house.environ if house else {}
    with tempfile.TemporaryDirectory() as folder, running(["--workers", str(load.workers)], environ) as server:
        file = speech_file(Path(folder)) if load.talking else None
        plan = Plan(
            server.url,
            KEY,
            load.sessions,
            load.seconds,
            str(file) if file else None,
            warm_s=4.0 if load.talking else 6.0,  # idle sessions have joined the shared face by then
            livekit=(house.key, house.secret) if house else None,
            subscribers=load.subscribers or 1,
        )
        with watching(plan) as viewers:
            if load.rendering:
                _order_video(server)
            wait_for(viewers, "measuring")
            cpu, video, there, before = server.cpu_s(), server.cpu_s(RENDERER), _cpu_of(house), server.metrics()
            wait_for(viewers, "measured")
            cpu, there, after = server.cpu_s() - cpu, _cpu_of(house) - there, server.metrics()
            video = server.cpu_s(RENDERER) - video
            received = outcome(viewers)
        grown = {k: v - before.get(k, 0.0) for k, v in after.items()}
        others = (there if house and house.process else None, video if load.rendering else None)
        return _cost(load, cpu - video, grown, received, others)


def _order_video(server: Server) -> None:
    """One that is not done before the load is. Raises Unavailable."""
    sound = speech()
    pcm = np.tile(sound, VIDEO_S * SAMPLE_RATE // len(sound)).astype("<i2").tobytes()
    order = {"faceId": "ada", "audioFormat": "pcm16", "audioBase64": base64.b64encode(pcm).decode()}
    answer = httpx.post(f"{server.url}/static/audio", json=order, headers={"x-simli-api-key": KEY}, timeout=60)
    if answer.status_code != httpx.codes.OK:
        raise Unavailable(reason=f"the server does not render: {answer.text}")


def _cpu_of(house: Rooms | None) -> float:
    return cpu_of(house.process.pid) if house and house.process else 0.0


def _cost(
    load: Load,
    cpu_s: float,
    grown: dict[str, float],
    received: Outcome,
    others: tuple[float | None, float | None],
) -> Cost:
    return Cost(
        load=load,
        cpu_s=cpu_s,
        stages={stage: total(grown, "mouthpiece_cpu_seconds_total", f'stage="{stage}"') for stage in STAGES},
        receivers_s=received.cpu_s,
        pictures=round(total(grown, "mouthpiece_pictures_total")),
        late=round(total(grown, "mouthpiece_late_pictures_total")),
        sound_p99_ms=quantile_ms(grown, "mouthpiece_sound_lateness_seconds", 0.99),
        received=received,
        livekit_s=others[0],
        render_s=others[1],
    )


def total(metrics: dict[str, float], name: str, label: str = "") -> float:
    """Sum of a counter over its labels (workers among them)."""
    return sum(v for k, v in metrics.items() if k.split("{")[0] == name and label in k)


def quantile_ms(metrics: dict[str, float], name: str, q: float) -> float:
    """Upper bound of the histogram bucket that holds quantile ``q``, in ms, interpolated within the bucket."""
    buckets: dict[float, float] = {}
    for key, value in metrics.items():
        if key.startswith(f"{name}_bucket"):
            bound = float(key.split('le="')[1].split('"')[0])
            buckets[bound] = buckets.get(bound, 0.0) + value
    want = q * max(buckets.values(), default=0.0)
    below, at = 0.0, 0.0
    for bound, count in sorted(buckets.items()):
        if want and count >= want:
            share = (want - below) / max(count - below, 1e-9)
            return 1000 * (at + (min(bound, 2 * at or 1.0) - at) * share)
        below, at = count, bound
    return 0.0


def _row(cost: Cost, floor: Floor) -> dict[str, Cell]:
    each = cost.load.seconds * cost.load.sessions
    named = {stage: round(cpu / each, 4) for stage, cpu in cost.stages.items()}
    rest = cost.per_session - sum(cost.stages.values()) / each
    return {
        "sessions": cost.load.sessions,
        "kind": "talking" if cost.load.talking else "idle",
        "transport": "p2p" if cost.load.subscribers is None else "livekit",
        "viewers": cost.load.subscribers or 1,
        "workers": cost.load.workers,
        "cpu_s_per_s": round(cost.per_session, 4),
        "x_encoders": round(cost.per_session / floor.both, 2),
        **named,
        "transport_and_rest": round(rest, 4),
        "receiver": round(cost.receivers_s / each, 4),
        "video_beside": None if cost.render_s is None else round(cost.render_s / cost.load.seconds, 4),
        "livekit_server": None if cost.livekit_s is None else round(cost.livekit_s / each, 4),
        "late_%": round(100 * cost.late_share, 2),
        "sound_p99_ms": round(cost.sound_p99_ms, 2),
        "fps": round(sum(v.pictures for v in cost.received.viewers) / each / (cost.load.subscribers or 1), 2),
    }


def _aims(costs: Sequence[Cost], floor: Floor) -> list[Aim]:
    aims: list[Aim] = []
    for cost in costs:
        load = cost.load
        if load.talking and load.subscribers is None and not load.rendering:
            aims.append(at_most(f"{load.name}: times the bare encoders", 4.5, cost.per_session / floor.both))
            if load.sessions >= 12:
                aims.append(at_most(f"{load.name}: late pictures", 1.0, 100 * cost.late_share, " %"))
                aims.append(at_most(f"{load.name}: sound p99 late", 5.0, cost.sound_p99_ms, " ms"))
    idle = {
        cost.load.sessions: cost
        for cost in costs
        if not cost.load.talking and cost.load.subscribers is None and not cost.load.rendering
    }
    if 1 in idle:
        aims.append(at_most("one idle session, CPU-s/s", 0.05, idle[1].per_session))
        many = max(idle)
        if many > 1:
            more = (idle[many].cpu_s - idle[1].cpu_s) / idle[many].load.seconds / (many - 1)
            aims.append(at_most("each further idle session of the same look, CPU-s/s", 0.01, more))
    return aims + _room_aims(costs)


def _room_aims(costs: Sequence[Cost]) -> list[Aim]:
    """Beside the same load peer to peer, and with more viewers beside fewer."""
    aims: list[Aim] = []
    for talking, sessions in dict.fromkeys((cost.load.talking, cost.load.sessions) for cost in costs):
        same = {
            c.load.subscribers: c
            for c in costs
            if (c.load.talking, c.load.sessions, c.load.rendering) == (talking, sessions, False)
        }
        alone = same.pop(None, None)
        counts = sorted(count for count in same if count)
        if alone and counts:
            ratio = same[counts[0]].per_session / alone.per_session
            aims.append(at_most(f"{same[counts[0]].load.name}: times the same peer to peer", 1.5, ratio))
        if len(counts) > 1:
            ratio = same[counts[-1]].per_session / same[counts[0]].per_session
            aims.append(at_most(f"{same[counts[-1]].load.name}: times that with {counts[0]}", 1.1, ratio))
    return aims


def _notes(floor: Floor) -> list[str]:
    return [
        f"bare encoders in a tight loop: video {floor.video:.4f}, sound {floor.sound:.4f} CPU-s/s",
        "stages are thread CPU time; transport_and_rest is the process's total less the stages",
        "video_beside is the CPU of the niced child that renders, and no part of the session's",
        "in a room LiveKit's library encodes the sound: that is in transport_and_rest",
    ]
