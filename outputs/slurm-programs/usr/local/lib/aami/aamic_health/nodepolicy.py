"""What makes a node warn or fail, as the node check's configuration says it. Pure."""

from typing import Any, FrozenSet, Mapping, NamedTuple, Optional

HARD = frozenset(("fatal_error", "lost_gpu", "uncorrected_ecc", "row_remap_failure", "unhealthy"))
"""Signals that need no second look."""


class Limit(NamedTuple):
    """Bounds of a measured value; None is never crossed."""

    warn: Optional[float]
    fail: Optional[float]
    clear: Optional[float]


class Policy(NamedTuple):
    """How a node is judged.

    `gpus` is how many the inventory gives it. `required` are readings without which nothing is known of a GPU,
    `sometimes` those that are there only after an event. `fatal_codes` fail a GPU, `quiet_codes` need nobody, and any
    other code warns, also one that nobody knows; of `line_codes` only the kernel's line says how bad they are. `names`
    tells codes in words, and `kind` is what the vendor calls those without a name.
    """

    gpus: int
    required: FrozenSet[str]
    sometimes: FrozenSet[str]
    fatal_codes: FrozenSet[int]
    quiet_codes: FrozenSet[int]
    line_codes: FrozenSet[int]
    kind: str
    names: Mapping[int, str]
    drain_on: FrozenSet[str]
    limits: Mapping[str, Limit]
    breaches: int
    clears: int


def policy(config: Mapping[str, Any]) -> Policy:
    """Return the policy of a configuration.

    Raises:
        ValueError: The configuration is none.
    """
    try:
        return Policy(
            gpus=int(config["inventory"]["count"]),
            required=frozenset(each["name"] for each in config["signals"] if each.get("required")),
            sometimes=frozenset(each["name"] for each in config["signals"] if each.get("sometimes")),
            fatal_codes=frozenset(int(code) for code in config["fatal_codes"]),
            quiet_codes=frozenset(int(code) for code in config.get("quiet_codes", ())),
            line_codes=frozenset(int(code) for code in config.get("line_codes", ())),
            kind=str(config.get("code_kind", "error code")),
            names={int(code): str(name) for code, name in config.get("code_names", {}).items()},
            drain_on=frozenset(config["drain_on"]),
            limits={name: _limit(bounds) for name, bounds in config["limits"].items()},
            breaches=max(1, int(config["hysteresis"]["breaches"])),
            clears=max(1, int(config["hysteresis"]["clears"])),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the configuration lacks something ({type(error).__name__}: {error})") from None


def _limit(bounds: Mapping[str, Any]) -> Limit:
    values = [bounds.get(name) for name in ("warn", "fail", "clear")]
    return Limit(*(None if bound is None else float(bound) for bound in values))
