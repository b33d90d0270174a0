"""`make screenshots`: plays the demo and takes the README's pictures of its pages with Debian's Chromium."""

import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

CHROMIUM = "/usr/bin/chromium"
IMAGES = Path(__file__).parent.parent / "docs" / "images"
SIZE = {"width": 1280, "height": 860}
PAGES = {
    "today": "/",
    "cards": "/cards",
    "card": "/cards?grade=AAA",
    "rules": "/rules/edit",
    "report": "/reports/funnel",
}


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
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, locale="ru")
        page.goto(link)
        home = page.url.rstrip("/")
        for name, path in PAGES.items():
            page.goto(home + path)
            if name == "card":
                page.click("table.cards .name a")
            page.screenshot(path=IMAGES / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
