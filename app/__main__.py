"""`python -m app`, the same as the console script `ogon`."""

from app.cli import main

main()
