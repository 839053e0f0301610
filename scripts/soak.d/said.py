"""What is told while it goes on, and where files are kept."""

import sys
from pathlib import Path

OUT = Path("target/soak").absolute()


def say(text):
    """Progress goes to stderr."""
    print(f"scripts/soak: {text}", file=sys.stderr, flush=True)
