"""The demo page's address: a one-time code lets it in."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from mouthpiece.errors import StartupError
from mouthpiece.settings import Settings
from mouthpiece.store.secrets import Secrets, data_folder
from mouthpiece.web.access import CODE_NONCE_BYTES, PageAccess

ADDRESS_FILE: Final = "address"

CODE_LIFE_S: Final = 86_400
"""How long the one-time code of an address is good."""


def with_code(base: str, access: PageAccess) -> str:
    """The page at ``base``, with a fresh code."""
    code = access.make_code(os.urandom(CODE_NONCE_BYTES), int(time.time()) + CODE_LIFE_S)
    return f"{base}/?code={code}"


def note_address(data: Path, base: str) -> None:
    """Keep where the server of this data folder listens: its port may have come from a flag, or be any free one."""
    (data / ADDRESS_FILE).write_text(f"{base}\n")


def page_url(settings: Settings) -> str:
    """A fresh address for the server of this data folder. Raises StartupError."""
    data = settings.server.data.expanduser()
    try:
        base = (data / ADDRESS_FILE).read_text().strip()
    except OSError:
        reason = f"no server has been ready on the data folder {data} yet"
        raise StartupError(reason=reason, remedy="start one, or name its folder with --data") from None
    secrets = Secrets.load(data_folder(data), settings.store)
    return with_code(base, PageAccess(secrets.token_keys))
