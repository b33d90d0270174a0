"""Sealing secrets for the database: Fernet (AES-128-CBC with HMAC) under a key derived from SECRET_KEY.

Roots make one `SecretBox` and hand it to whoever reads portals. What it opens stays in a SecretStr.
"""

import contextlib
import os
import secrets
import tempfile
from base64 import urlsafe_b64encode
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from app.errors import OgonError
from app.settings import Settings


class SecretUnreadable(OgonError):  # noqa: N818 - reads as the state it is
    """A sealed value does not open: it was sealed with another key, or damaged."""

    def __init__(self) -> None:
        super().__init__(
            "A stored secret cannot be read with this SECRET_KEY: set the key it was stored with "
            "(DATA_DIR/secret_key where none was set), or enter the portal's webhook and token again."
        )


class SecretBox:
    """Seals and opens texts. Its repr shows nothing."""

    def __init__(self, secret_key: SecretStr) -> None:
        derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"ogon: portal secrets")
        key = derive.derive(secret_key.get_secret_value().encode())
        self._fernet = Fernet(urlsafe_b64encode(key))

    def seal(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode())

    def open(self, sealed: bytes) -> SecretStr:
        """Raises SecretUnreadable."""
        try:
            return SecretStr(self._fernet.decrypt(sealed).decode())
        except InvalidToken:
            raise SecretUnreadable from None


def secret_box(settings: Settings) -> SecretBox:
    """The box of this installation."""
    return SecretBox(secret_key(settings))


def secret_key(settings: Settings) -> SecretStr:
    """SECRET_KEY; where none is set, the key that is generated once into DATA_DIR/secret_key (mode 0600)."""
    return settings.secret_key or _kept_key(settings.data_dir)


def _kept_key(data_dir: Path) -> SecretStr:
    path = data_dir / "secret_key"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        # Written aside and linked: of two processes that start together both end up with the first one's key.
        descriptor, name = tempfile.mkstemp(prefix=".secret_key.", dir=data_dir)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
        Path(name).unlink()
    return SecretStr(path.read_text().strip())
