"""A server and a viewer on a machine that has nothing but ``lo``. Run by ``test_lonely`` in a network namespace."""

from __future__ import annotations

import asyncio
import json
import sys

from tests.support.peer import Viewer
from tests.support.viewing import Listening, Show

from mouthpiece.settings import TransportSettings
from mouthpiece.transport.p2p import answer
from mouthpiece.transport.stun import StunServer


async def main() -> None:
    stun = await StunServer.open("0.0.0.0", 3478)
    async with Viewer() as viewer:
        listening = Listening()
        peer, sdp = await answer(await viewer.offer(), listening, TransportSettings(), host="0.0.0.0")
        await viewer.accept(sdp)
        async with Show(peer, listening):
            pictures = await viewer.pictures.take(3)
            sounds = await viewer.sounds.take(3)
        await peer.close()
    hosts = sorted({line.split()[4] for line in sdp.splitlines() if line.startswith("a=candidate")})
    report = {"hosts": hosts, "pictures": len(pictures), "sounds": len(sounds), "stun": stun.port}
    stun.close()
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    asyncio.run(main())
