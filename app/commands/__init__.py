"""What `ogon` does from the command line, a file per group of commands; wired by `app/cli.py`."""
