"""What the drain controller remembers from run to run, and how that stands in a file. Pure.

Times are seconds of the controller's own clock, which never goes back; see `draincontrol`.
"""

from typing import Any, Dict, NamedTuple, Optional

VERSION = 1


class Trip(NamedTuple):
    """The breaker is open since `at`, until a person closes it."""

    at: float
    reason: str


class Streak(NamedTuple):
    """A node fails since `since` without a break, by `runs` checks in a row; the last of them looked at `seen`."""

    since: float
    runs: int
    seen: float


class Refusal(NamedTuple):
    """A node that Slurm drained for a prolog's failure at `drained`, by Slurm's clock; first seen `since`.

    `ours` is whether Prometheus has said since that our prolog refused a job there.
    """

    since: float
    drained: Optional[float]
    ours: bool


class State(NamedTuple):
    """Everything that a run knows of those before it.

    `clock` is when the last run looked. `pending` are drains that were asked for and not yet seen in Slurm; they count
    until they are seen, or a window has passed. `taken` is when nodes went out of service by our doing. `refusals` are
    those drains for a prolog's failure that Slurm shows.
    """

    clock: float
    trip: Optional[Trip]
    failing: Dict[str, Streak]
    pending: Dict[str, float]
    taken: Dict[str, float]
    refusals: Dict[str, Refusal]


EMPTY = State(0.0, None, {}, {}, {}, {})


def tripped(state: State, now: float, reason: str) -> State:
    """Return the state with the breaker open; one that is open already keeps its time and reason."""
    return state if state.trip else state._replace(trip=Trip(now, reason))


def to_document(state: State) -> Dict[str, Any]:
    """Return the state as plain values for JSON."""
    return {
        "version": VERSION,
        "clock": state.clock,
        "trip": {"at": state.trip.at, "reason": state.trip.reason} if state.trip else None,
        "failing": {name: list(streak) for name, streak in state.failing.items()},
        "pending": dict(state.pending),
        "taken": dict(state.taken),
        "refusals": {name: list(refusal) for name, refusal in state.refusals.items()},
    }


def from_document(document: Any) -> State:
    """Return the state that these plain values tell of.

    Raises:
        ValueError: They are no state, or one of another version.
    """
    try:
        if document["version"] != VERSION:
            raise ValueError(f"it is of another version than {VERSION}")
        return _state(document)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"it does not have the form of a state ({type(error).__name__}: {error})") from None


def _state(document: Any) -> State:
    trip = document["trip"]
    return State(
        clock=_number(document["clock"]),
        trip=None if trip is None else Trip(_number(trip["at"]), str(trip["reason"])),
        failing={name: _streak(value) for name, value in document["failing"].items()},
        pending={name: _number(value) for name, value in document["pending"].items()},
        taken={name: _number(value) for name, value in document["taken"].items()},
        refusals={name: _refusal(value) for name, value in document["refusals"].items()},
    )


def _streak(value: Any) -> Streak:
    since, runs, seen = value
    return Streak(_number(since), int(_number(runs)), _number(seen))


def _refusal(value: Any) -> Refusal:
    since, drained, ours = value
    if not isinstance(ours, bool):
        raise TypeError("neither true nor false")
    return Refusal(_number(since), None if drained is None else _number(drained), ours)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value or abs(value) > 1e15:  # noqa: PLR0124, PLR2004  # neither NaN nor beyond any clock
        raise TypeError("a number is none")
    return float(value)
