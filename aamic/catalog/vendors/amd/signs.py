"""By what the configuration of other programs tells AMD's GPUs.

Types are free text in Slurm. Those that `AutoDetect` gives are product names of ROCm SMI in lower case with `_` for
spaces: src/plugins/gpu/rsmi/gpu_rsmi.c of SchedMD/slurm.
"""

from __future__ import annotations

from typing import Final

from aamic.catalog.base import Signs

SIGNS: Final = Signs(
    models=(
        (r"mi355x?", "MI355X"),
        (r"mi350x?", "MI350X"),
        (r"mi325x?", "MI325X"),
        (r"mi308x?", "MI308X"),
        (r"mi300a", "MI300A"),
        (r"mi300x?", "MI300X"),
        (r"mi250x", "MI250X"),
        (r"mi250", "MI250"),
        (r"mi210", "MI210"),
        (r"mi100", "MI100"),
        (r"mi60", "MI60"),
        (r"mi50", "MI50"),
    ),
    devices=("/dev/kfd",),
    autodetect=("rsmi",),
    ports=(5000,),
)
