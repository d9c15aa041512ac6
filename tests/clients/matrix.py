"""Every client that is tested: its name, version and transport, and the test that it must pass.

The table in docs/compatibility.md has these rows; its last column is written by a run of the tests (see ``conftest``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
HEAD: Final = ("| client | version | transport | last run |", "|---|---|---|---|")


@dataclass(frozen=True)
class Row:
    """One line of the table. ``test``: file, function and the parameter that chooses this version, if there is one."""

    client: str
    version: str
    transport: str
    test: tuple[str, str, str]

    def covers(self, nodeid: str) -> bool:
        """Whether a test is this row's."""
        file, function, parameter = self.test
        found = re.fullmatch(rf"(?:.*/)?{re.escape(file)}::{re.escape(function)}(?:\[(.*)\])?", nodeid)
        return found is not None and (not parameter or parameter in re.split(r"-(?!channel)", found[1] or ""))


LIPS: Final = "test_sends_speech_and_sees_lips_move_with_it"
PIPELINE: Final = "test_a_pipeline_sees_lips_move_and_an_interruption_silences"
INTERRUPTED: Final = "test_a_pipeline_sees_lips_move_and_ten_interruptions_silence"
PAGES: Final = "test_seed_pages.py"
V2, V1 = "v2, WebRTC", "v1, WebRTC over WebSocket"
ROWS: Final = (
    *(Row("simli-ai (Python)", v, V2, ("test_simli_ai.py", LIPS, v)) for v in ("2.1.0", "2.0.3")),
    *(
        Row("simli-ai (Python)", v, V1, ("test_simli_ai_v1.py", LIPS, v))
        for v in ("0.1.25", "0.1.22", "0.1.18", "0.1.14")
    ),
    *(Row("simli-ai (Python)", v, "v2, LiveKit", ("test_simli_ai_livekit.py", LIPS, v)) for v in ("2.1.0", "2.0.3")),
    Row("simli-ai (Python)", "1.0.3", "v1, LiveKit", ("test_livekit_v1.py", "test_simli_ai_sees_lips_move", "")),
    Row(
        "simli-client (npm)",
        "3.0.1",
        "v2, LiveKit",
        ("test_livekit_v1.py", "test_simli_client_sees_lips_move", "3.0.1"),
    ),
    Row(
        "simli-client (npm)",
        "2.0.0",
        "v1, LiveKit",
        ("test_livekit_v1.py", "test_simli_client_sees_lips_move", "2.0.0"),
    ),
    *(
        Row(
            "livekit-plugins-simli",
            v,
            "agent in a LiveKit room",
            ("test_livekit_agents.py", "test_lips_move_with_the_sound", v),
        )
        for v in ("1.8.9", "1.2.15")
    ),
    Row("simli-client (npm)", "3.0.1", V2, ("test_simli_client.py", LIPS, "")),
    *(Row("simli-client (npm)", v, V1, ("test_simli_client_v1.py", LIPS, v)) for v in ("1.2.20", "1.2.3")),
    Row("simli-client (npm)", "1.1.6", "v1, data channel", ("test_simli_client_v1.py", LIPS, "1.1.6")),
    *(
        Row(f"sample page, {name}", "as printed", f"{name}, sound over the {way.replace('-', ' ')}", (PAGES, test, way))
        for name, test in (("v2", "test_v2_script_as_printed"), ("v1", "test_legacy_page_as_printed"))
        for way in ("socket", "data-channel")
    ),
    Row("pipecat", "0.0.90", V1, ("test_pipecat_v1.py", PIPELINE, "0.0.90")),
    Row("pipecat", "0.0.100", "v1, LiveKit", ("test_pipecat_v1.py", PIPELINE, "0.0.100")),
    Row("pipecat", "1.14.0", V2, ("test_pipecat.py", INTERRUPTED, "")),
)


def table(results: Mapping[Row, str]) -> str:
    """The table with these results."""
    lines = [f"| {r.client} | {r.version} | {r.transport} | {results.get(r, 'not run')} |" for r in ROWS]
    return "\n".join((*HEAD, *lines))


def written(page: str, results: Mapping[Row, str]) -> str:
    """The page with its table renewed. A row that did not run keeps the result of its own last run."""
    before, rest = page.split(BEGIN)
    old, after = rest.split(END)
    last = {line.rsplit("|", 2)[0]: line.rsplit("|", 2)[1].strip() for line in old.splitlines() if line.count("|") > 1}
    rows = dict(zip(ROWS, (line.rsplit("|", 2)[0] for line in table({}).splitlines()[2:]), strict=True))
    kept = {row: last[start] for row, start in rows.items() if start in last}
    return f"{before}{BEGIN}\n{table({**kept, **results})}\n{END}{after}"


def verdict(outcomes: Sequence[str]) -> str:
    """One word for several tests."""
    return "failed" if "failed" in outcomes else "passed" if "passed" in outcomes else "skipped"
