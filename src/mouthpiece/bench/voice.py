"""What talking with an avatar is like: how soon it answers and falls silent, whether it lets people finish, cost."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

import numpy as np

from mouthpiece.bench.apart import apart, outcome_of, wait_for
from mouthpiece.bench.caller import Answer, Outcome, Plan, Say, Then
from mouthpiece.bench.report import Aim, Cell, Report, at_most
from mouthpiece.bench.server import KEY, Server, running
from mouthpiece.bench.sessions import quantile_ms
from mouthpiece.bench.speech import speech_file
from mouthpiece.bench.utterances import Utterance, embedded, recorded

ENVIRON: Final = {"MOUTHPIECE_AGENTS_WARM": "true", "MOUTHPIECE_AGENTS_FIND_LOCAL": "false"}
"""The offline defaults, whatever model happens to run on the machine."""

CALLER: Final = "mouthpiece.bench.caller"
EARS: Final = "sphinx_helper"
"""In the command line of the embedded ears' helper processes."""

STAGES: Final = {
    "transcript": "words known",
    "decided": "turn taken",
    "heard": "answer begins to play",
    "mouth": "mouth opens, as drawn",
}
"""What the server says of each turn, from the end of the speech as its voice detector heard it."""

THENS: Final[tuple[Then, ...]] = ("hear out", "button", "talk over")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to measure. ``speech``: WAV files, else the embedded voice asks. ``pauses``: seconds put into turns.

    ``callers``: how many at once, one load each, for ``seconds``.
    """

    speech: Path | None = None
    rounds: int = 2
    pauses: tuple[float, ...] = (0.4, 0.7, 1.0)
    callers: tuple[int, ...] = (1, 6)
    seconds: float = 40.0


@dataclass(frozen=True, slots=True)
class Used:
    """What a load took, per caller: CPU-seconds a second and MB, the embedded ears apart; how late the tick was."""

    cpu: float
    ears: float
    memory_mb: float
    ears_mb: float
    tick_p99_ms: float
    outcome: Outcome


def run(wanted: Wanted, say: Callable[[str], None]) -> Report:
    """Every part on a server of its own. Raises BadInput for speech that cannot be read."""
    turns = embedded() if wanted.speech is None else recorded(wanted.speech)
    report = Report("voice")
    with tempfile.TemporaryDirectory(prefix="mouthpiece-bench-voice-") as name:
        folder = Path(name)
        if wanted.rounds or wanted.pauses:
            with _server() as server:
                _talk(server, turns, wanted, (folder, report, say))
        for callers in wanted.callers:
            _load(callers, wanted.seconds, _written(turns, folder), report)
            say(f"{callers} at once: {report.rows[-1]['p50_ms']} ms")
    own = [pause for turn in turns for pause in turn.pauses]
    report.notes += [
        f"{len(turns)} turns of {'the embedded voice' if wanted.speech is None else 'recorded speech'}; in them "
        f"{len(own)} pauses of their own of {1000 * min(own, default=0):.0f} to {1000 * max(own, default=0):.0f} ms",
        "sound counts when its packet is there; a browser plays it 40 to 80 ms later",
    ]
    return report


def _talk(
    server: Server, turns: Sequence[Utterance], wanted: Wanted, into: tuple[Path, Report, Callable[[str], None]]
) -> None:
    folder, report, say = into
    if wanted.rounds:
        _manners(server, _written(turns, folder), wanted.rounds, report)
        say(f"end of speech to first sound: {report.rows[0]['p50_ms']} ms")
    for seconds in wanted.pauses:
        _pauses(server, turns, seconds, (folder, report))
        say(f"pauses of {seconds:g} s: {report.rows[-1]['cut_ins']} cut in of {report.rows[-1]['n']}")


def _server() -> contextlib.AbstractContextManager[Server]:
    return running(["--workers", "0"], ENVIRON)


def _written(turns: Sequence[Utterance], folder: Path) -> list[tuple[str, int]]:
    written = []
    for n, turn in enumerate(turns):
        path = folder / f"{n}-{turn.pause_s:g}.pcm"
        path.write_bytes(np.ascontiguousarray(turn.pcm, "<i2").tobytes())
        written.append((str(path), turn.end))
    return written


# --- manners -------------------------------------------------------------------------------------------------------
def _manners(server: Server, files: Sequence[tuple[str, int]], rounds: int, report: Report) -> None:
    thens = cycle(THENS)
    says = tuple(Say(path, end, next(thens)) for _ in range(rounds) for path, end in files)
    got = _called(Plan(server.url, KEY, says, lips=True))
    (answers,) = got.answers
    talked_over = [answer for before, answer in zip(says, answers[1:], strict=False) if before.then == "talk over"]
    answered = [answer for answer in answers if answer.cut_in is None]
    columns = {
        "end of speech to first sound": [a.sound for a in answered],
        "end of speech to first open mouth": [a.mouth for a in answered],
        "button to silence": [a.silent for a in answers if a not in talked_over],
        "decided by voice to silence": [a.silent for a in talked_over],
        "first word over it to silence": [a.silenced for a in talked_over],
    }
    report.rows += [_row(what, values) for what, values in columns.items()]
    for name, what in STAGES.items():
        report.rows.append(_row(f"server: {what}", [turn.get(name) for turn in got.turns]))
    report.rows.append({**_row("turns as they are", []), "n": len(answers), "cut_ins": _cut_in(answers)})
    report.aims += _waits(columns)
    silences = [*columns["button to silence"], *columns["decided by voice to silence"]]
    report.aims.append(at_most("decision to silence, p95 ms", 150, _p(silences, 95)))
    missing = sum(answer.sound is None for answer in answers)
    if missing or got.faults:
        report.notes.append(
            f"{missing} of {len(answers)} turns had no answer; faults: {', '.join(got.faults) or 'none'}"
        )


def _waits(columns: dict[str, list[float | None]]) -> list[Aim]:
    aims = []
    for what in ("end of speech to first sound", "end of speech to first open mouth"):
        aims.append(at_most(f"{what}, p50 ms", 600, _p(columns[what], 50)))
        aims.append(at_most(f"{what}, p95 ms", 900, _p(columns[what], 95)))
    return aims


def _pauses(server: Server, turns: Sequence[Utterance], seconds: float, into: tuple[Path, Report]) -> None:
    folder, report = into
    files = _written([turn.with_pause(seconds) for turn in turns], folder)
    got = _called(Plan(server.url, KEY, tuple(Say(path, end, "button") for path, end in files)))
    (answers,) = got.answers
    row = _row(f"with a pause of {seconds:g} s", [a.sound for a in answers if a.cut_in is None])
    report.rows.append({**row, "n": len(answers), "cut_ins": _cut_in(answers)})


def _cut_in(answers: Iterable[Answer]) -> int:
    return sum(answer.cut_in is not None for answer in answers)


# --- load ----------------------------------------------------------------------------------------------------------
def _load(callers: int, seconds: float, files: Sequence[tuple[str, int]], report: Report) -> None:
    says = tuple(Say(path, end) for path, end in files)
    with _server() as server, tempfile.TemporaryDirectory() as folder:
        plan = Plan(server.url, KEY, says, callers, seconds)
        talking = _used(server, plan)
        spoke = [a.spoke_s for answers in talking.outcome.answers for a in answers if a.sound is not None]
        echo_s = float(np.mean(spoke)) if spoke else 1.0
        alone = Plan(server.url, KEY, says, callers, seconds, echo=str(speech_file(Path(folder))), echo_s=echo_s)
        avatar = _used(server, alone)
    answers = [answer for caller in talking.outcome.answers for answer in caller]
    name = f"{callers} at once" if callers > 1 else "one conversation"
    report.rows.append(
        {
            **_row(f"{name}: end of speech to first sound", [a.sound for a in answers if a.cut_in is None]),
            "cut_ins": _cut_in(answers),
            "cpu_s_per_s": round(talking.cpu, 3),
            "avatar": round(avatar.cpu, 3),
            "ears": round(talking.ears, 3),
            "mb": round(talking.memory_mb, 1),
            "avatar_mb": round(avatar.memory_mb, 1),
            "ears_mb": round(talking.ears_mb, 1),
        }
    )
    report.aims.append(at_most(f"{name}: above the avatar's own, CPU-s/s each", 0.06, talking.cpu - avatar.cpu))
    if callers >= 6:
        report.aims.append(at_most(f"{name}: tick p99 late, ms", 5.0, talking.tick_p99_ms))


def _used(server: Server, plan: Plan) -> Used:
    empty_mb, empty_ears_mb = server.rss_mb() - server.rss_mb(EARS), 0.0
    with apart(CALLER, plan) as callers:
        wait_for(callers, "measuring")
        began, cpu, ears, before = time.monotonic(), server.cpu_s(), server.cpu_s(EARS), server.metrics()
        wait_for(callers, "measured")
        each = (time.monotonic() - began) * plan.callers
        cpu, ears, after = server.cpu_s() - cpu, server.cpu_s(EARS) - ears, server.metrics()
        memory_mb, ears_mb = server.rss_mb(), server.rss_mb(EARS)
        heard = _outcome(callers)
    grown = {name: value - before.get(name, 0.0) for name, value in after.items()}
    return Used(
        cpu=(cpu - ears) / each,
        ears=ears / each,
        memory_mb=(memory_mb - ears_mb - empty_mb) / plan.callers,
        ears_mb=(ears_mb - empty_ears_mb) / plan.callers,
        tick_p99_ms=quantile_ms(grown, "mouthpiece_sound_lateness_seconds", 0.99),
        outcome=heard,
    )


# --- the callers' process --------------------------------------------------------------------------------------------
def _called(plan: Plan) -> Outcome:
    with apart(CALLER, plan) as callers:
        return _outcome(callers)


def _outcome(process: subprocess.Popen[str]) -> Outcome:
    said = outcome_of(process)
    return Outcome([[Answer(**one) for one in caller] for caller in said["answers"]], said["turns"], said["faults"])


# --- rows ----------------------------------------------------------------------------------------------------------
def _row(what: str, seconds: Sequence[float | None]) -> dict[str, Cell]:
    known = [1000 * value for value in seconds if value is not None]
    row: dict[str, Cell] = {"what": what, "n": len(known)}
    quantiles = {"p50_ms": 50, "p95_ms": 95, "max_ms": 100}
    row |= {name: round(float(np.percentile(known, q)), 1) if known else None for name, q in quantiles.items()}
    return row | dict.fromkeys(("cut_ins", "cpu_s_per_s", "avatar", "ears", "mb", "avatar_mb", "ears_mb"))


def _p(seconds: Sequence[float | None], q: float) -> float:
    known = [1000 * value for value in seconds if value is not None]
    return float(np.percentile(known, q)) if known else float("inf")
