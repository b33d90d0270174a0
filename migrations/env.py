"""Alembic's entry: on the connection that `app.store.migrate` hands over, or the environment's database."""

from alembic import context
from sqlalchemy import Connection, create_engine

from app.settings import load_settings
from app.store.database import sqlalchemy_url
from app.store.embedded import use_embedded
from app.store.migrate import VERSION_TABLE, ours
from app.store.models import Base


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=ours,
        compare_server_default=True,
        version_table=VERSION_TABLE,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_on_environment() -> None:
    settings = load_settings()
    if settings.database_url is not None:
        server, conninfo = None, settings.database_url.get_secret_value()
    else:
        server = use_embedded(settings.data_dir)
        conninfo = server.conninfo()
    try:
        with create_engine(sqlalchemy_url(conninfo)).begin() as connection:
            run(connection)
    finally:
        if server is not None:
            server.release()


if (handed := context.config.attributes.get("connection")) is not None:
    run(handed)
else:
    run_on_environment()
