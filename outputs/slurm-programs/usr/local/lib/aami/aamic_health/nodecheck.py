"""The node check: reads this node's GPU exporter, judges it, and writes the verdict file and the node's metrics.

It runs from a timer, and may be Slurm's HealthCheckProgram as well. It ends with 0 whatever it finds: only a verdict
that could not be written is a failure, as an old one says nothing soon by itself.
"""

import argparse
import fcntl
import hashlib
import json
import os
import socket
import sys
import time
from contextlib import contextmanager
from typing import Any, Collection, Dict, Iterator, List, Optional, Sequence, Tuple

from . import budget, exposition, nodemetrics, promquery, textfile, verdict
from .judge import Verdict, judge, unknown
from .nodepolicy import policy
from .readings import Readings, readings

CONFIG = "/etc/aami/slurm/node-check.json"
RUN = "/run/aamic"
_MEMORY = "node-check.json"
_REFUSED = "refused"
_TIMEOUT = 5.0
_INTERVAL = 30


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Check the node once; the result is the exit status."""
    parser = argparse.ArgumentParser(prog="aamic-node-check", description="Judges this node by its GPUs.")
    parser.add_argument("--config", default=CONFIG, help="what to read and what is bad; default %(default)s")
    parser.add_argument("--run", default=RUN, help="folder of the verdict and of what is remembered")
    parser.add_argument("--name", action="append", help="name of this node in Prometheus; its host name if absent")
    options = parser.parse_args(arguments)
    try:
        with _alone(options.run):
            check(options.config, options.run, options.name or host_names())
    except BlockingIOError:
        return 0  # another one is at it
    except OSError as error:
        _say(f"no verdict was written: {error}")
        return 1
    return 0


def check(config_path: str, run: str, names: Sequence[str]) -> None:
    """Judge the node and write what is thought of it.

    Raises:
        OSError: The verdict could not be written.
    """
    config, digest, trouble = _config(config_path)
    memory = remembered(_document(os.path.join(run, _MEMORY)), _boot(), digest, _names(config))
    found, gpus, brake = _judged(config, memory, names, trouble)
    uptime = _uptime()
    _write_verdict(run, found, brake, _interval(config), uptime)
    memory.update(gpus, seen_ok=bool(memory.get("seen_ok")) or found.state == "ok", visible=brake.visible)
    _tell_change(memory, found)
    refused = _refused(run, uptime)
    _try(os.path.join(run, _MEMORY), json.dumps(memory, sort_keys=True).encode("ascii"), 0o600)
    folder = config.get("textfiles")
    if folder:
        families = nodemetrics.families(found, brake.refuse, int(time.time()), refused)
        _try(os.path.join(folder, nodemetrics.FILE), textfile.exposition(families), 0o644)


def remembered(memory: Dict[str, Any], boot: str, digest: str, names: Collection[str] = ()) -> Dict[str, Any]:
    """Return what still holds: nothing of another boot, and of another configuration only what was seen.

    These are codes that are not quiet, and which of the `names` that this configuration reads a GPU reported.

    >>> remembered({"boot": "a", "config": "1", "seen_ok": True}, "a", "2")
    {'boot': 'a', 'config': '2', 'gpus': {}, 'verdict': ''}
    """
    if memory.get("boot") != boot:
        return {"boot": boot, "config": digest, "gpus": {}}
    if memory.get("config") == digest:
        return memory
    gpus = memory.get("gpus")
    kept = {
        key: _kept(each, names)
        for key, each in (gpus.items() if isinstance(gpus, dict) else ())
        if isinstance(each, dict)
    }
    return {"boot": boot, "config": digest, "gpus": kept, "verdict": memory.get("verdict", "")}


def _kept(gpu: Dict[str, Any], names: Collection[str]) -> Dict[str, Any]:
    kept: Dict[str, Any] = {name: gpu[name] for name in ("gpu", "fatal", "doubtful") if name in gpu}
    seen = gpu.get("seen")
    if isinstance(seen, list):
        kept["seen"] = [name for name in seen if name in names]
    return kept


def _names(config: Dict[str, Any]) -> List[str]:
    """What a configuration reads, whatever else is wrong with it."""
    signals = config.get("signals")
    return [str(each.get("name")) for each in signals if isinstance(each, dict)] if isinstance(signals, list) else []


def host_names() -> List[str]:
    """Return what this node may be called: its host name, and the first part of that."""
    name = socket.gethostname()
    return [name, name.split(".")[0]]


def _config(path: str) -> Tuple[Dict[str, Any], str, str]:
    """The configuration, its digest, and what is wrong with it: a check without one says so, and writes a verdict."""
    try:
        with open(path, "rb") as file:
            content = file.read(1 << 20)
        config = json.loads(content.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        return {}, "", f"configuration {path}: {error}"
    if not isinstance(config, dict) or config.get("version") != 1:
        return {}, "", f"configuration {path}: it is of another version"
    return config, hashlib.sha256(content).hexdigest(), ""


def _interval(config: Dict[str, Any]) -> int:
    interval = config.get("interval")
    return interval if isinstance(interval, int) and interval > 0 else _INTERVAL


def _judged(
    config: Dict[str, Any], memory: Dict[str, Any], names: Sequence[str], trouble: str
) -> Tuple[Verdict, Dict[str, Any], budget.Decision]:
    gpus = {"gpus": memory.get("gpus", {})}
    nobody = budget.Decision(False, "the node does not fail", None)
    if trouble:
        return unknown(trouble), gpus, nobody
    try:
        rules = policy(config)
        seen, trouble = _seen(config)
        found, gpus = judge(seen, rules, memory, _uptime(), trouble)
        return found, gpus, _braked(config, found, memory, names) if found.state == "fail" else nobody
    except (ArithmeticError, ValueError, KeyError, TypeError) as error:
        return unknown(f"configuration: {type(error).__name__}: {error}"), gpus, nobody


def _seen(config: Dict[str, Any]) -> Tuple[Optional[Readings], str]:
    """What the exporter says; nothing, and why, where it says nothing or not all of it."""
    try:
        body = promquery.fetch(config["url"], _TIMEOUT)
    except promquery.NoAnswer as error:
        return None, f"the exporter does not answer: {error}"
    if not body.endswith(b"\n"):
        return None, f"{config['url']}: the answer is empty or cut off"
    return readings(exposition.read(body).samples, config["signals"]), ""


def _braked(config: Dict[str, Any], found: Verdict, memory: Dict[str, Any], names: Sequence[str]) -> budget.Decision:
    """Whether jobs may be refused; only for what needs no second look, on a node that was well before."""
    brake = config["brake"]
    visible = memory.get("visible")
    try:
        known = budget.facts(promquery.ask(brake["urls"], budget.question(config["cluster"]), _TIMEOUT))
    except promquery.NoAnswer as error:
        return budget.Decision(False, f"Prometheus does not answer: {error}", None)
    limits = budget.Brake(int(brake["cap"]), float(brake["settle"]))
    decision = budget.decide(known, names, limits, visible if isinstance(visible, (int, float)) else None, _uptime())
    if not found.hard:
        return decision._replace(refuse=False, why="only signals that need a second look fail")
    if not memory.get("seen_ok"):
        return decision._replace(refuse=False, why="the node was not well before in this boot with this configuration")
    return decision


def _write_verdict(run: str, found: Verdict, brake: budget.Decision, interval: int, uptime: float) -> None:
    gpus = [
        f"{gpu} {state} " + "; ".join(each.text for each in found.findings if each.gpu == gpu)
        for gpu, state in found.states.items()
    ]
    told = verdict.Verdict(
        found.state, int(uptime), int(time.time()), interval, brake.refuse, found.score, found.reason, brake.why, gpus
    )
    textfile.replace(os.path.join(run, verdict.FILE), verdict.text(told))


def _tell_change(memory: Dict[str, Any], found: Verdict) -> None:
    if memory.get("verdict") != found.state:
        _say(f"{found.state} (before: {memory.get('verdict') or 'not checked in this boot'}): {found.reason}")
    memory["verdict"] = found.state


def _refused(run: str, uptime: float) -> Optional[int]:
    """When the prolog last refused a job in this boot, in seconds since 1970."""
    try:
        with open(os.path.join(run, _REFUSED), "rb") as file:
            then, at, _ = file.read(200).decode("ascii").split(None, 2)
        return int(at) if 0 <= int(then) <= uptime + 1 else None
    except (OSError, ValueError):
        return None


def _document(path: str) -> Dict[str, Any]:
    try:
        with open(path, "rb") as file:
            document = json.loads(file.read(1 << 22).decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _try(path: str, content: bytes, mode: int) -> None:
    """Write what the verdict does not depend on."""
    try:
        textfile.replace(path, content, mode)
    except OSError as error:
        _say(f"{path} was not written: {error}")


@contextmanager
def _alone(run: str) -> Iterator[None]:
    os.makedirs(run, mode=0o755, exist_ok=True)
    with open(os.path.join(run, "node-check.lock"), "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _uptime() -> float:
    """Seconds since boot, as the prolog reads them."""
    try:
        with open("/proc/uptime", "rb") as file:
            return float(file.read(100).split()[0])
    except (OSError, ValueError, IndexError):
        return time.monotonic()


def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read(100).decode("ascii").strip()
    except (OSError, ValueError):
        return ""


def _say(words: str) -> None:
    sys.stderr.write(f"aamic-node-check: {verdict.plain(words)}\n")
