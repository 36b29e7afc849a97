"""By what the configuration of other programs tells Intel's GPUs.

The word of `AutoDetect` is that of Slurm's src/plugins/gpu/oneapi.
"""

from __future__ import annotations

from typing import Final

from aamic.catalog.base import Signs

SIGNS: Final = Signs(
    models=((r"max 1550", "Max 1550"), (r"max 1100", "Max 1100"), (r"flex 170", "Flex 170"), (r"flex 140", "Flex 140")),
    autodetect=("oneapi",),
    ports=(29999,),
)
