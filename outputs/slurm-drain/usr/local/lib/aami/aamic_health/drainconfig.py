"""The drain controller's configuration, as the compiler renders it."""

import json
from typing import Any, Dict, NamedTuple, Tuple

from .policy import Config

VERSION = 1
MODES = ("off", "shadow", "on")


class Settings(NamedTuple):
    """`urls` are servers that know the whole cluster; `textfiles` is '' where nobody reads metrics of files."""

    mode: str
    cluster: str
    urls: Tuple[str, ...]
    textfiles: str
    policy: Config


def read(path: str) -> Settings:
    """Return the settings of a file.

    Raises:
        ValueError: It cannot be read, or is no such configuration; the text says why.
    """
    try:
        with open(path, "rb") as file:
            return settings(json.loads(file.read().decode("utf-8")))
    except OSError as error:
        raise ValueError(f"`{path}` cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"`{path}` is no configuration of the drain controller: {type(error).__name__} {error}"
        ) from None


def settings(document: Dict[str, Any]) -> Settings:
    """Return the settings that these plain values tell of.

    Raises:
        ValueError: A value is out of bounds.
        KeyError: One is missing.
        TypeError: One is of another type.
    """
    if document["version"] != VERSION or document["mode"] not in MODES:
        raise ValueError("version or mode is not known to this program")
    return Settings(
        document["mode"],
        str(document["cluster"]),
        tuple(str(url) for url in document["urls"]),
        str(document["textfiles"] or ""),
        _policy(document),
    )


def _policy(document: Dict[str, Any]) -> Config:
    config = Config(
        cap=int(document["cap"]),
        nodes=frozenset(str(name) for name in document["nodes"]),
        hard=frozenset(str(name) for name in document["hard"]),
        stale=float(document["stale"]),
        window=float(document["window"]),
        interval=float(document["interval"]),
    )
    if not (config.cap >= 0 and config.stale > 0 and config.window > 0 and config.interval > 0):
        raise ValueError("a number is out of bounds")
    return config
