"""What must stay secret, and the folder that holds it.

``DIR/secret`` (mode 0600) has lines ``token: ...``, newest first, and one line ``pepper: ...``. A new token line at
the top rotates: new session tokens are made with the first, all are accepted.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mouthpiece.errors import StartupError
from mouthpiece.settings import StoreSettings
from mouthpiece.store.keys import Keys, new_plaintext

SECRET_FILE = "secret"  # noqa: S105 (a file name)
KEY_FILE = "api-key"
_SHORTEST = 32  # characters of a shared secret: 256 bits as base64 are 43, as hex 64


@dataclass(frozen=True, slots=True)
class Secrets:
    """Keys derived from the secrets.

    ``token_keys`` are Fernet keys (44 characters of URL-safe base64), newest first: make session tokens with the
    first, accept all. ``pepper`` (32 bytes) goes into the digests of API keys.
    """

    token_keys: tuple[bytes, ...]
    pepper: bytes

    def __repr__(self) -> str:
        return "Secrets(hidden)"

    @classmethod
    def load(cls, data: Path, settings: StoreSettings) -> Secrets:
        """From the settings when they have a shared secret, else from ``data/secret``, made when it is not there.

        Raises StartupError.
        """
        if settings.secret is not None:
            tokens = [piece.strip() for piece in settings.secret.split(",") if piece.strip()]
            pepper = settings.pepper or (tokens[-1] if tokens else "")
            return cls._derive(tokens, pepper, "store.secret (MOUTHPIECE_STORE_SECRET)")
        path = data / SECRET_FILE
        tokens, peppers = _parse(_read_or_make(path, _new_secret_file()))
        return cls._derive(tokens, settings.pepper or "".join(peppers[:1]), str(path))

    @classmethod
    def _derive(cls, tokens: list[str], pepper: str, source: str) -> Secrets:
        if not tokens or not pepper or min(len(each) for each in (*tokens, pepper)) < _SHORTEST:
            remedy = "give each at least 32 random characters, as `openssl rand -base64 32` makes them"
            raise StartupError(reason=f"a secret in {source} is missing or too short", remedy=remedy)
        keys = (base64.urlsafe_b64encode(_derived(each, b"session token")) for each in tokens)
        return cls(tuple(keys), _derived(pepper, b"api key pepper"))


def data_folder(path: Path) -> Path:
    """The data folder, made when it is not there (mode 0700), tried by writing to it. Raises StartupError."""
    path = path.expanduser().absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except FileExistsError:
        reason = "is a file, not a folder"
    except OSError as error:
        reason = f"cannot be written to ({error.strerror})"
    remedy = "name another with --data or MOUTHPIECE_DATA, or mend its owner and rights"
    raise StartupError(reason=f"the data folder {path} {reason}", remedy=remedy)


async def first_key(data: Path, keys: Keys) -> str | None:
    """At the first start make an API key and keep it in ``data/api-key`` (mode 0600).

    Returns the key when it was made now, to be shown once; None: there are keys already. A key file that the
    database does not know (a new database beside an old folder) is stored again. Raises StartupError.
    """
    path = data / KEY_FILE
    if path.exists() or await keys.count() == 0:
        fresh = new_plaintext()
        plaintext = _read_or_make(path, fresh + "\n").strip()
        if not plaintext:
            raise StartupError(
                reason=f"the key file {path} is empty", remedy="delete it and add a key: mouthpiece keys add"
            )
        if await keys.adopt(plaintext, "first", only_first=plaintext == fresh):
            return plaintext if plaintext == fresh else None
        path.unlink(missing_ok=True)  # another server on this database was first; its keys are the keys
    return None


def _derived(secret: str, purpose: bytes) -> bytes:
    return hmac.new(secret.encode(), b"mouthpiece " + purpose, hashlib.sha256).digest()


def _new_secret_file() -> str:
    return f"token: {secrets.token_urlsafe(32)}\npepper: {secrets.token_urlsafe(32)}\n"


def _parse(text: str) -> tuple[list[str], list[str]]:
    lines = [line.partition(":") for line in text.splitlines()]
    found = [(kind.strip(), value.strip()) for kind, _, value in lines]
    return [value for kind, value in found if kind == "token"], [value for kind, value in found if kind == "pepper"]


def _read_or_make(path: Path, content: str) -> str:
    """What the file holds; the first of several processes makes it, whole or not at all, readable by its owner only."""
    try:
        if not path.exists():
            _make(path, content)
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "not text"
        remedy = "mend its owner and rights, or name another folder with --data"
        raise StartupError(reason=f"cannot read or write {path} ({cause})", remedy=remedy) from None


def _make(path: Path, content: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(name, path)
    except FileExistsError:
        return  # another process was first
    finally:
        Path(name).unlink()
