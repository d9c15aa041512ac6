"""Score lip sync on voices nobody trained on. Prints a table; ``--json FILE`` keeps every figure.

Needs espeak-ng (in the package), and festival with its voices for the recorded set; see training/lipsync/README.md.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

from training.lipsync.labels import Timeline, frames_of
from training.lipsync.speech import Utterance

from benchmarks.lipsync.articulation import best_correlation
from benchmarks.lipsync.peers import Peer, installed
from benchmarks.lipsync.score import Tally
from benchmarks.lipsync.systems import OURS, System, opening_of
from benchmarks.lipsync.voices import sets

COLUMNS = {
    "accuracy_speech": "acc",
    "closure_precision": "cl P",
    "closure_recall": "cl R",
    "closure_f1": "cl F1",
    "labiodental_f1": "fv F1",
    "closures_seen": "seen",
    "spurious_per_minute": "spur",
    "openness": "open",
    "rounding": "round",
    "offset_ms": "off",
}


def score(system: System, speech: list[Utterance]) -> dict[str, dict[str, float]]:
    """Figures over all utterances, under ``all``, and by voice family (the part of its name before ``+``)."""
    tallies: dict[str, Tally] = defaultdict(Tally)
    for u in speech:
        truth, told = Timeline.of(u).labels(frames_of(len(u.pcm))), system(u)
        for name in ("all", u.voice.split("+")[0]):
            tallies[name].add(truth, told)
    return {name: tally.result() for name, tally in tallies.items()}


def row(name: str, figures: dict[str, float]) -> str:
    """One line of the table."""
    cells = [f"{figures[k]:.2f}" if k in figures else "-" for k in COLUMNS]
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lipsync", description=__doc__)
    parser.add_argument("--speech", type=Path, default=Path("build/lipsync/test"), help="where held-out speech is kept")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the speech")
    parser.add_argument("--every", type=int, default=1, help="score every so many utterances only")
    parser.add_argument("--only", help="systems whose name contains this")
    parser.add_argument("--sets", default="", help="sets to score, separated by commas (all)")
    parser.add_argument("--data", type=Path, help="folder of measured mouths")
    parser.add_argument("--voices", action="store_true", help="a row for every voice, too")
    parser.add_argument("--json", type=Path, help="write every figure here")
    a = parser.parse_args()
    told: dict[str, object] = {}
    everyone: dict[str, System] = OURS | {name: Peer(name) for name in installed()}
    systems = {k: v for k, v in everyone.items() if not a.only or a.only in k}
    print("| system, set | " + " | ".join(COLUMNS.values()) + " |\n" + "|---" * (len(COLUMNS) + 1) + "|")
    for set_name, speech in sets(a.speech, a.scale).items():
        if a.sets and set_name not in a.sets.split(","):
            continue
        for name, system in systems.items():
            began = time.process_time()
            figures = score(system, speech[:: a.every])
            figures["all"]["cpu_share"] = (time.process_time() - began) / sum(u.seconds for u in speech[:: a.every])
            told[f"{set_name}: {name}"] = figures
            for voice in figures if a.voices else ["all"]:
                print(row(f"{set_name}: {name}" if voice == "all" else voice, figures[voice]), flush=True)
    if a.data:
        openings = {"audio, live (60 ms)": opening_of} | {name: Peer(name).opening for name in installed()}
        for name, opening in openings.items():
            told[f"articulation: {name}"] = found = best_correlation(a.data, opening)
            print(f"{name}, correlation with measured lip gaps: {found}", flush=True)
    if a.json:
        a.json.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
