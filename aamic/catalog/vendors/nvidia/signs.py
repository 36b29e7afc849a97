"""By what the configuration of other programs tells NVIDIA's GPUs.

Types are free text in Slurm. Those that `AutoDetect` gives are product names of NVML in lower case with `_` for spaces,
such as `nvidia_h100_80gb_hbm3`, and MIG profiles behind the name of the GPU, such as `a100_3g.20gb`: Slurm's
documentation of gres.conf, and src/plugins/gpu/nvml/gpu_nvml.c of SchedMD/slurm.
"""

from __future__ import annotations

from typing import Final

from aamic.catalog.base import Signs

SIGNS: Final = Signs(
    models=(
        (r"gb300", "GB300"),
        (r"gb200", "GB200"),
        (r"gh200.*", "GH200"),
        (r"b300", "B300"),
        (r"b200", "B200"),
        (r"h800", "H800"),
        (r"h200", "H200"),
        (r"h100", "H100"),
        (r"h20", "H20"),
        (r"a800", "A800"),
        (r"a100", "A100"),
        (r"a40", "A40"),
        (r"a30", "A30"),
        (r"a16", "A16"),
        (r"a10g?", "A10"),
        (r"l40s", "L40S"),
        (r"l40", "L40"),
        (r"l4", "L4"),
        (r"v100s?", "V100"),
        (r"p100", "P100"),
        (r"p40", "P40"),
        (r"t4", "T4"),
        (r"k80", "K80"),
        (r"rtx ?pro ?6000", "RTX PRO 6000"),
        (r"rtx ?6000 ?ada", "RTX 6000 Ada"),
        (r"(?:rtx ?)?a6000", "RTX A6000"),
        (r"(?:rtx ?)?a5000", "RTX A5000"),
        (r"(?:geforce ?)?(?:rtx ?)?5090", "RTX 5090"),
        (r"(?:geforce ?)?(?:rtx ?)?4090", "RTX 4090"),
        (r"(?:geforce ?)?(?:rtx ?)?3090", "RTX 3090"),
        (r"(?:geforce ?)?(?:rtx ?)?2080 ?ti", "RTX 2080 Ti"),
    ),
    parts=r"(^|[_-])[1-7]g\.[0-9]+gb",
    devices=("/dev/nvidia",),
    autodetect=("nvml", "nvidia"),
    ports=(9400,),
)
