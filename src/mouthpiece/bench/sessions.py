"""What sessions cost: CPU-seconds per session-second, stage by stage, from one to many, talking and idle."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mouthpiece.bench.encoders import Floor, measure_floor
from mouthpiece.bench.report import Aim, Cell, Report, at_most
from mouthpiece.bench.server import KEY, running
from mouthpiece.bench.speech import speech, speech_file
from mouthpiece.bench.viewer import Outcome, Plan, outcome, wait_for, watch

STAGES: Final = ("sound", "mouth", "draw", "encode")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Load:
    """How many sessions, talking or not, for how long, on how many worker processes."""

    sessions: int
    talking: bool
    seconds: float = 10.0
    workers: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """What a load cost: the server, by stage, and the receivers; lateness as the server saw it."""

    load: Load
    cpu_s: float
    stages: dict[str, float]
    receivers_s: float
    pictures: int
    late: int
    sound_p99_ms: float
    received: Outcome

    @property
    def per_session(self) -> float:
        """CPU-seconds of the server per session-second."""
        return self.cpu_s / self.load.seconds / self.load.sessions

    @property
    def late_share(self) -> float:
        """Fraction of pictures that were dropped for being late."""
        return self.late / max(1, self.late + self.pictures)


def run(loads: Sequence[Load], say: Say) -> Report:
    """Run every load on a fresh server, and compare with the bare encoders, run in between."""
    floor = measure_floor(speech())
    say(f"bare encoders: {floor.both:.4f} CPU-s/s")
    costs = []
    for load in loads:
        costs.append(measure(load))
        say(f"{load.sessions} {'talking' if load.talking else 'idle'}: {costs[-1].per_session:.4f} CPU-s/s each")
    return Report("sessions", [_row(cost, floor) for cost in costs], _aims(costs, floor), _notes(floor))


def measure(load: Load) -> Cost:
    """One load on a server of its own."""
    with tempfile.TemporaryDirectory() as folder, running(["--workers", str(load.workers)]) as server:
        file = speech_file(Path(folder)) if load.talking else None
        warm_s = 4.0 if load.talking else 6.0  # idle sessions have joined the shared face by then
        plan = Plan(server.url, KEY, load.sessions, load.seconds, str(file) if file else None, warm_s=warm_s)
        viewers = watch(plan)
        wait_for(viewers, "measuring")
        cpu, before = server.cpu_s(), server.metrics()
        wait_for(viewers, "measured")
        cpu, after = server.cpu_s() - cpu, server.metrics()
        return _cost(load, cpu, {k: v - before.get(k, 0.0) for k, v in after.items()}, outcome(viewers))


def _cost(load: Load, cpu_s: float, grown: dict[str, float], received: Outcome) -> Cost:
    return Cost(
        load=load,
        cpu_s=cpu_s,
        stages={stage: total(grown, "mouthpiece_cpu_seconds_total", f'stage="{stage}"') for stage in STAGES},
        receivers_s=received.cpu_s,
        pictures=round(total(grown, "mouthpiece_pictures_total")),
        late=round(total(grown, "mouthpiece_late_pictures_total")),
        sound_p99_ms=quantile_ms(grown, "mouthpiece_sound_lateness_seconds", 0.99),
        received=received,
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
        "workers": cost.load.workers,
        "cpu_s_per_s": round(cost.per_session, 4),
        "x_encoders": round(cost.per_session / floor.both, 2),
        **named,
        "transport_and_rest": round(rest, 4),
        "receiver": round(cost.receivers_s / each, 4),
        "late_%": round(100 * cost.late_share, 2),
        "sound_p99_ms": round(cost.sound_p99_ms, 2),
        "fps": round(sum(v.pictures for v in cost.received.viewers) / each, 2),
    }


def _aims(costs: Sequence[Cost], floor: Floor) -> list[Aim]:
    aims: list[Aim] = []
    for cost in costs:
        load = cost.load
        if load.talking:
            name = f"{load.sessions} talking"
            aims.append(at_most(f"{name}: times the bare encoders", 4.5, cost.per_session / floor.both))
            if load.sessions >= 12:
                aims.append(at_most(f"{name}: late pictures", 1.0, 100 * cost.late_share, " %"))
                aims.append(at_most(f"{name}: sound p99 late", 5.0, cost.sound_p99_ms, " ms"))
    idle = {cost.load.sessions: cost for cost in costs if not cost.load.talking}
    if 1 in idle:
        aims.append(at_most("one idle session, CPU-s/s", 0.05, idle[1].per_session))
        many = max(idle)
        if many > 1:
            more = (idle[many].cpu_s - idle[1].cpu_s) / idle[many].load.seconds / (many - 1)
            aims.append(at_most("each further idle session of the same look, CPU-s/s", 0.01, more))
    return aims


def _notes(floor: Floor) -> list[str]:
    return [
        f"bare encoders in a tight loop: video {floor.video:.4f}, sound {floor.sound:.4f} CPU-s/s",
        "stages are thread CPU time; transport_and_rest is the process's total less the stages",
    ]
