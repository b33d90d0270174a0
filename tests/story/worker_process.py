"""A worker in a process of its own, to be killed: `python -m tests.story.worker_process`, set by the environment.

It is what `ogon worker` runs, in the rhythm of the stories: a dead worker's cards are free after seconds.
"""

from app.logs import configure_logs
from app.serve import run, work
from app.settings import load_settings
from tests.story.house import QUICK

if __name__ == "__main__":
    told = load_settings(_env_file=None)
    configure_logs(told.log_format)
    run(work(told, rhythm=QUICK))
