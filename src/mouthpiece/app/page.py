"""The demo page's address: a one-time code lets it in."""

from __future__ import annotations

import os
import time
from typing import Final

from mouthpiece.app.net import shown_url
from mouthpiece.settings import Settings
from mouthpiece.store.secrets import Secrets, data_folder
from mouthpiece.web.access import CODE_NONCE_BYTES, PageAccess

CODE_LIFE_S: Final = 86_400
"""How long the one-time code of an address is good."""


def with_code(base: str, access: PageAccess) -> str:
    """The page at ``base``, with a fresh code."""
    code = access.make_code(os.urandom(CODE_NONCE_BYTES), int(time.time()) + CODE_LIFE_S)
    return f"{base}/?code={code}"


def page_url(settings: Settings) -> str:
    """A fresh address for the server of this data folder. Raises StartupError."""
    secrets = Secrets.load(data_folder(settings.server.data), settings.store)
    return with_code(shown_url(settings.server, settings.server.port), PageAccess(secrets.token_keys))
