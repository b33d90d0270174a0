"""`make screenshots`: plays the demo and takes the README's pictures of its pages with Debian's Chromium."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
IMAGES = Path(__file__).parent.parent / "docs" / "images"
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
REPLAY_PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture. `click`: what is followed from there first."""

    name: str
    path: str
    size: dict[str, int]
    scheme: str = "light"
    click: str = ""


SHOTS = (
    Shot("today", "/", DESK),
    Shot("today-phone", "/", PHONE),
    Shot("cards", "/cards", DESK, "dark"),
    Shot("card", "/cards?type=deal&grade=AAA", DESK, click="table.cards .name a"),
    Shot("report", "/reports/reaction", DESK),
)


def main() -> int:
    """Returns the exit code."""
    if not Path(CHROMIUM).exists():
        print("Chromium is not installed: apt-get install chromium", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as directory:
        demo = subprocess.Popen(
            [sys.executable, "-m", "app", "demo", "--leads", "80"],
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": "/usr/bin:/bin", "DATA_DIR": directory, "UI_LANGUAGE": "ru", "PYTHONUNBUFFERED": "1"},
        )
        try:
            take(sign_in_link(demo))
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(60)
    return 0


def sign_in_link(demo: "subprocess.Popen[str]") -> str:
    """What the demo prints when all its leads are judged."""
    assert demo.stdout is not None
    for line in demo.stdout:
        found = re.search(r"http://\S+/login\?ticket=\S+", line)
        if found:
            return found[0]
    raise SystemExit("The demo ended before its pages could be seen.")


def take(link: str) -> None:
    """One picture for each page, as large as the window."""
    with sync_playwright() as playwright:
        # Fields for dates are written as the browser's own language has them.
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--lang=ru"], env={**os.environ, "LANGUAGE": "ru"}
        )
        page = browser.new_page(viewport=DESK, locale="ru")
        page.goto(link)
        home = page.url.rstrip("/")
        for shot in SHOTS:
            page.set_viewport_size(shot.size)  # type: ignore[arg-type]
            page.emulate_media(color_scheme=shot.scheme)  # type: ignore[arg-type]
            page.goto(home + shot.path)
            if shot.click:
                page.click(shot.click)
            page.screenshot(path=IMAGES / f"{shot.name}.png")
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
        replay(page, home)
        browser.close()


def replay(page: Page, home: str) -> None:
    """A stricter draft over what the demo has recorded: what would change."""
    page.goto(f"{home}/rules/edit")
    page.fill("[name='client.0.number']", "10")
    page.click("button[value=replay]")
    page.wait_for_selector("table.matrix", timeout=REPLAY_PATIENCE_SECONDS * 1000)
    page.screenshot(path=IMAGES / "replay.png")


if __name__ == "__main__":
    sys.exit(main())
