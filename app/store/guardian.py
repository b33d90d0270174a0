"""The embedded server's guardian: waits until nobody uses the server any more, then stops it.

`embedded.py` runs this file as a script, in its own session, with bare Python (`-I -S`), so it imports
nothing but the standard library. Users hold a shared lock on `users.lock`; the kernel drops it however
they end, kill -9 included. The exclusive lock here is therefore granted when the last one is gone, and
while it is held a new user waits. It must not start anything.

Arguments: the cluster's home, and the inherited descriptor of the held `guardian.lock`.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import sys
import time
from pathlib import Path

_PATIENCE_SECONDS = 60.0
_STEP_SECONDS = 0.02


def main(home: Path, guardian_lock: int) -> None:
    users = os.open(home / "users.lock", os.O_RDWR)
    fcntl.flock(users, fcntl.LOCK_EX)
    if not _gone(home):
        # Fast shutdown first: sessions are cut, the checkpoint is written. Immediate when that takes too long.
        for how in (signal.SIGINT, signal.SIGQUIT):
            _signal(home, how)
            if _wait(home):
                break
    # Released before `users`: whoever gets in next sees that no guardian is left.
    os.close(guardian_lock)
    os.close(users)


def _signal(home: Path, how: signal.Signals) -> None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = (home / "cluster" / "postmaster.pid").read_text().splitlines()
        os.kill(int(lines[0]), how)


def _wait(home: Path) -> bool:
    steps = int(_PATIENCE_SECONDS / _STEP_SECONDS)
    for _ in range(steps):
        if _gone(home):
            _drop_outer_socket(home)
            return True
        time.sleep(_STEP_SECONDS)
    return False


def _gone(home: Path) -> bool:
    """Whether no process of the server lives: each of them holds `server.lock` by inheritance."""
    try:
        server = os.open(home / "server.lock", os.O_RDWR)
    except OSError:
        return True
    try:
        fcntl.flock(server, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(server)
    return True


def _drop_outer_socket(home: Path) -> None:
    """Remove the socket's directory where it had to be made outside because of a long path."""
    record = home / "socket.location"
    with contextlib.suppress(OSError):
        shutil.rmtree(record.read_text().strip())
        record.unlink()


if __name__ == "__main__":
    # The first half returns to the starter, the second belongs to nobody and to no terminal.
    if os.fork() == 0:
        os.setsid()
        main(Path(sys.argv[1]), int(sys.argv[2]))
