"""SECRET_KEY for signing: the one from the environment, or the one kept in DATA_DIR for sealing secrets.

Used by `app/main.py` and by the command line when it makes a login ticket or shows a robot's address.
"""

from app.settings import Settings
from app.store.secret_box import secret_box


def signing_secret(settings: Settings) -> str:
    """SECRET_KEY; where none is set, the key that the store generates once into DATA_DIR/secret_key."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    secret_box(settings)  # makes the file when it is not there yet
    return (settings.data_dir / "secret_key").read_text().strip()
