from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any, get_args

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.deploy.saved import digest, dump, load, schema_text
from aamic.errors import FailureKind, InputError
from aamic.model.host import Entry, EntryKind, Unobserved
from aamic.model.plan import Blocked, Change, ChangeAction, Difference, Effect, Group, Impact, KeptFolder, Plan, What

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
HASH = st.text("0123456789abcdef", min_size=64, max_size=64)
ENTRIES = st.builds(Entry, st.sampled_from(get_args(EntryKind)), TEXT, TEXT, TEXT, TEXT)
IMPACTS = st.builds(Impact, st.sampled_from(get_args(Effect)), TEXT)
CHANGES = st.builds(
    Change,
    st.sampled_from(get_args(ChangeAction)),
    st.sampled_from(get_args(What)),
    TEXT,
    TEXT,
    st.none() | ENTRIES,
    st.none() | ENTRIES,
    TEXT,
    st.lists(IMPACTS, max_size=3).map(tuple),
    st.booleans(),
    st.booleans(),
)
NAMES = st.integers(1, 30).map("gpu-{}".format)
ORDERED = st.sets(st.integers(1, 30), min_size=1).map(lambda some: tuple(f"gpu-{number}" for number in sorted(some)))
LINES = st.lists(TEXT, max_size=3).map(tuple)
PLANS = st.builds(
    Plan,
    cluster=TEXT,
    revision=TEXT,
    dirty=st.booleans(),
    tree=TEXT,
    limit=TEXT,
    adopt=st.booleans(),
    hosts=st.integers(0, 10_000),
    digests=st.dictionaries(NAMES, HASH),
    groups=st.lists(st.builds(Group, ORDERED, st.lists(CHANGES, max_size=3).map(tuple)), max_size=3).map(tuple),
    unobserved=st.lists(
        st.builds(Unobserved, NAMES, st.sampled_from(get_args(FailureKind)), TEXT, st.none() | TEXT), max_size=2
    ).map(tuple),
    blocked=st.lists(st.builds(Blocked, NAMES, TEXT, st.none() | TEXT), max_size=2).map(tuple),
    differences=st.dictionaries(
        st.tuples(TEXT, HASH, HASH).filter(lambda each: "\0" not in each[0]).map("\0".join),
        st.builds(Difference, LINES, LINES, TEXT),
        max_size=2,
    ),
    undecided=LINES,
    notes=LINES,
    kept=st.lists(st.builds(KeptFolder, TEXT, TEXT, st.sampled_from(("removed", "moved")), ORDERED), max_size=2).map(
        tuple
    ),
)
VALIDATOR = jsonschema.Draft202012Validator(json.loads(schema_text()))
SAMPLE = Plan(
    cluster="c",
    revision="abc",
    dirty=False,
    tree="t",
    limit="",
    adopt=False,
    hosts=3,
    digests={"gpu-1": "a" * 64, "gpu-2": "a" * 64, "gpu-3": "b" * 64},
    groups=(Group(("gpu-1", "gpu-2"), (Change("remove", "file", "/f", "b", Entry("file", "x", "0644")),)),),
)


@given(PLANS)
def test_a_plan_comes_back_as_it_was(plan: Plan) -> None:
    data = dump(plan)

    assert load(data) == plan
    assert dump(load(data)) == data


@given(PLANS)
def test_every_plan_fits_the_published_schema(plan: Plan) -> None:
    assert list(VALIDATOR.iter_errors(json.loads(dump(plan)))) == []


def test_hosts_are_folded_and_their_order_does_not_matter() -> None:
    document = json.loads(dump(SAMPLE))

    assert document["observed"] == {"a" * 64: "gpu-[1-2]", "b" * 64: "gpu-3"}
    assert document["groups"][0]["hosts"] == "gpu-[1-2]"
    assert dump(replace(SAMPLE, digests=dict(reversed(list(SAMPLE.digests.items()))))) == dump(SAMPLE)


def test_the_digest_names_the_plan_and_stands_in_its_file() -> None:
    other = replace(SAMPLE, revision="abd")

    assert json.loads(dump(SAMPLE))["digest"] == digest(SAMPLE)
    assert digest(other) != digest(SAMPLE)


def edited(**changes: Any) -> bytes:
    return json.dumps(json.loads(dump(SAMPLE)) | changes).encode()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "`p.json` is no plan of aamic: it is not JSON"),
        (b"\xff", "`p.json` is no plan of aamic: it is not JSON"),
        (b"[" * 100_000, "`p.json` is no plan of aamic: it is not JSON"),
        (b"[]", "`p.json` is no plan of aamic"),
        (b"{}", "`p.json` is no plan of aamic"),
        (edited(version=2), "`p.json` was written by another version of aamic"),
        (edited(extra=1), "`p.json` is no plan of aamic: `extra`: extra inputs are not permitted"),
        (edited(hosts="3"), "`p.json` is no plan of aamic: `hosts`: input should be a valid integer"),
        (edited(adopt=True), "`p.json` was changed after it was made"),
        (edited(observed={"a" * 64: "gpu-[1-"}), "`p.json` is no plan of aamic: bracket in `gpu-[1-` is not closed"),
        (edited(observed={"a" * 64: "gpu-[1-99999999]"}), "`p.json` is no plan of aamic: host list `gpu-[1-99999999]`"),
    ],
)
def test_what_is_no_plan_is_refused_in_plain_words(data: bytes, told: str) -> None:
    with pytest.raises(InputError) as caught:
        load(data, "p.json")

    (problem,) = caught.value.problems
    assert problem.message.startswith(told)
    assert problem.hint == "make it anew with `aamic plan --out`"


def test_a_plan_of_before_data_folders_were_named_is_still_read() -> None:
    document = {key: value for key, value in json.loads(dump(SAMPLE)).items() if key != "kept"}
    body = {key: value for key, value in document.items() if key not in {"version", "digest"}}
    sealed = hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    assert load(json.dumps(document | {"digest": sealed}).encode()) == SAMPLE
