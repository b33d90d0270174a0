"""The secret that signatures are derived from; the same that seals secrets in the database.

Used by `app/main.py` and by the command line when it makes a login ticket or shows a robot's address.
"""

from app.settings import Settings
from app.store.secret_box import secret_key


def signing_secret(settings: Settings) -> str:
    """SECRET_KEY in plain, or the key that the store keeps where none is set."""
    return secret_key(settings).get_secret_value()
