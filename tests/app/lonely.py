"""A whole server and a viewer on a machine with nothing but ``lo``. Run by ``test_serve`` in a network namespace."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.support.conversation import talking
from tests.support.server import serving


async def main(data: Path) -> None:
    with serving(data) as server:
        async with talking(server, server.token()):
            sys.stdout.write("a picture came")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
