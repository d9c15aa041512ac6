"""The peer without a network."""

from __future__ import annotations

from tests.support.viewing import Listening, tone

from mouthpiece.media import EncodedPicture, EncodedSound
from mouthpiece.transport.base import Peer
from mouthpiece.transport.memory import MemoryPeer

SOUND, PICTURE = EncodedSound(b"s", 0), EncodedPicture(b"p", 0, key=True)


async def test_it_keeps_what_it_is_sent_until_it_is_closed() -> None:
    memory = MemoryPeer(Listening(), video_codec="vp8")
    peer: Peer = memory
    peer.send_sound(SOUND)
    peer.send_picture(PICTURE)
    await peer.close()
    await peer.close()
    peer.send_sound(SOUND)
    peer.send_picture(PICTURE)
    assert list(memory.sounds) == [SOUND]
    assert list(memory.pictures) == [PICTURE]
    assert memory.closed
    assert peer.video_codec == "vp8"


def test_it_keeps_only_what_was_agreed_on() -> None:
    memory = MemoryPeer(Listening(), video_codec=None, wants_sound=False)
    memory.send_sound(SOUND)
    memory.send_picture(PICTURE)
    assert (len(memory.sounds), len(memory.pictures)) == (0, 0)


def test_it_plays_the_viewer() -> None:
    listening = Listening()
    memory = MemoryPeer(listening)
    memory.connect()
    memory.request_keyframe()
    memory.estimate(300_000)
    memory.say("hello")
    memory.talk(tone(0.02))
    memory.lose("gone")
    memory.lose("gone twice")
    memory.send_sound(SOUND)
    assert listening.connected.is_set()
    assert len(listening.keys.items) == 1
    assert listening.rates.items == [300_000]
    assert list(memory.replies) == ["heard 'hello'"]
    assert listening.voice.items[0].size == 320
    assert listening.lost.items == ["gone"]
    assert len(memory.sounds) == 0


async def test_a_closed_peer_is_not_lost() -> None:
    listening = Listening()
    memory = MemoryPeer(listening)
    await memory.close()
    memory.lose()
    assert listening.lost.items == []
