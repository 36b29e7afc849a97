"""`python -m aamic`."""

from __future__ import annotations

from aamic.cli import main

main()
