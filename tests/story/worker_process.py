"""A worker in a process of its own, to be killed: `python -m tests.story.worker_process`, set by the environment.

It is what `ogon worker` runs, in the rhythm of the stories: a dead worker's cards are free after seconds.
"""

import asyncio

from app.logs import configure_logs
from app.serve import prepared_database
from app.settings import load_settings
from app.worker import run_worker
from tests.story.house import QUICK


async def work() -> None:
    settings = load_settings(_env_file=None)
    configure_logs(settings.log_format)
    async with prepared_database(settings) as database:
        await run_worker(settings, database, rhythm=QUICK)


if __name__ == "__main__":
    asyncio.run(work())
