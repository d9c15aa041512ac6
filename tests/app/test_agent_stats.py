"""Conversations are counted, whichever front end holds them."""

from __future__ import annotations

from prometheus_client import generate_latest
from tests.support.troupe import TwinTroupe

from mouthpiece.agent.base import Caption, ConversationEvent, Fault, Line, Plan, Said, Turn
from mouthpiece.app import metrics
from mouthpiece.app.agent_stats import AgentStats
from mouthpiece.app.agents import LateTroupe
from mouthpiece.providers.base import Choice


class Silent:
    queued = 0

    def push_audio(self, data: bytes, script: object = None) -> None: ...

    def skip(self) -> None: ...


async def test_a_conversation_is_counted_from_its_beginning_to_its_end() -> None:
    stats, twins, told = AgentStats(), TwinTroupe(), list[ConversationEvent]()
    troupe = LateTroupe(lambda: twins, stats)  # type: ignore[arg-type, return-value]
    talk = await troupe.open(Plan("s", "be kind"), Choice(), Silent(), told.append)
    await talk.start()
    talk.interrupt()
    events: list[ConversationEvent] = [
        Caption("user", "hel", final=False),
        Said(Line("user", "hello", 1.0)),
        Said(Line("assistant", "good", 2.0, interrupted=True)),
        Said(Line("assistant", "good day", 3.0)),
        Fault("mind", "gone"),
        Turn(transcript=0.1, decided=0.4, heard=0.5),
    ]
    for event in events:
        twins.opened[0].tell(event)
    assert told == events, "everything reaches whoever listens"
    text = generate_latest(metrics.registry("w0", metrics.LoopLag(), metrics.Counted(agents=stats))).decode()
    for line in (
        'mouthpiece_conversations{worker="w0"} 1.0',
        'mouthpiece_conversations_started_total{worker="w0"} 1.0',
        'mouthpiece_conversation_lines_total{who="user",worker="w0"} 1.0',
        'mouthpiece_conversation_lines_total{who="interrupted",worker="w0"} 1.0',
        'mouthpiece_conversation_faults_total{stage="mind",worker="w0"} 1.0',
        'mouthpiece_turn_seconds_bucket{le="0.64",stage="heard",worker="w0"} 1.0',
        'mouthpiece_turn_seconds_bucket{le="0.32",stage="heard",worker="w0"} 0.0',
        'mouthpiece_turn_seconds_count{stage="mouth",worker="w0"} 0.0',
    ):
        assert line in text, line
    await talk.close()
    await talk.close()
    assert (stats.running, stats.started) == (0, 1)
    assert twins.opened[0].told == ["start", "interrupt"]
