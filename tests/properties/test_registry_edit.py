"""Clusters added to and taken out of sites of every layout: no byte changes but those of the cluster itself."""

from __future__ import annotations

import codecs
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from aamic.clients.files import Rewrite, rewrite
from aamic.compile.edit import append, changed, remove, same
from aamic.compile.parse import Document, load, parse
from aamic.compile.yamltext import read_yaml
from tests.properties.test_edit import BETWEEN, COMMENTS, VALUES, Layout, judged
from tests.properties.test_parse import Memory

NAMES = st.sampled_from(["busan", "daegu", "é😀", "no", "12", "a: b", "#c", "'", ""])
WORDS = ("nodes", "racks", "ssh", "x y", "é😀", "no", "12", "-", "alerts")
ITEMS = st.fixed_dictionaries(
    {"name": NAMES, "endpoint": st.just("https://b.example:9443") | st.text(max_size=8)},
    optional={
        "kind": st.just("prometheus"),
        "api_key": st.fixed_dictionaries({"file": NAMES}) | st.fixed_dictionaries({"env": st.just("BUSAN_KEY")}),
        "labels": st.dictionaries(NAMES, NAMES, max_size=3),
        "federate": st.booleans(),
    },
)


@st.composite
def files(draw: st.DrawFn, registry: list[dict[str, Any]] | None, keys: tuple[str, ...], head: str = "") -> bytes:
    """A file of a site, with or without a registry, as some person might write it."""
    layout = Layout(draw)
    others = {key: draw(VALUES) for key in draw(st.lists(st.sampled_from(keys), max_size=3, unique=True))}
    order = draw(st.permutations([*others, *(["clusters"] if registry is not None else [])]))
    data = {key: registry if key == "clusters" else others[key] for key in order}
    if head or draw(st.booleans()) or not data:
        text = head + layout.block(data, 0)
    else:
        text = layout.flow(data) + draw(COMMENTS) + "\n"
    text = draw(BETWEEN) + (text or "{}\n") + draw(BETWEEN)
    text = text if draw(st.booleans()) else text.rstrip("\n")
    text = text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))
    assume(same(read_yaml(text.encode(), "f", if_empty="").data.get("clusters"), registry))
    return draw(st.sampled_from([b"", codecs.BOM_UTF8])) + text.encode()


@st.composite
def sites(draw: st.DrawFn) -> dict[str, bytes]:
    """The files of a site by name: one, or two of which either may have the registry, or none."""
    registry = draw(st.none() | st.lists(ITEMS, max_size=4))
    if draw(st.booleans()):
        return {"site.yaml": draw(files(registry, WORDS))}
    inner = draw(st.booleans())
    head = draw(st.sampled_from(["include: [other.yaml]\n", 'include:  # "rest"\n- other.yaml\n']))
    return {
        "site.yaml": draw(files(None if inner else registry, WORDS[:5], head)),
        "other.yaml": draw(files(registry if inner else None, WORDS[5:])),
    }


def read(contents: dict[str, bytes]) -> Document:
    document = parse(contents["site.yaml"], "site.yaml", Memory(contents))
    assume(not document.problems)
    return document


def without_mark(content: bytes) -> str:
    return content.removeprefix(codecs.BOM_UTF8).decode()


def is_insertion(before: str, after: str) -> bool:
    """Whether the new text is the old one with one piece more."""
    same_start = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), len(before))
    return any(after.endswith(before[cut:]) for cut in range(same_start, -1, -1))


@given(sites(), ITEMS)
def test_adding_inserts_one_piece_and_removing_takes_it_out(contents: dict[str, bytes], item: dict[str, Any]) -> None:
    document = read(contents)
    old = document.data.get("clusters")
    edited = append(document.files, ("clusters",), item)
    (file,) = changed(document.files, edited)
    before = without_mark(contents[file.name])

    assert is_insertion(before, file.text)
    assert same(file.data, {**read_yaml(before.encode(), "", if_empty="").data, "clusters": [*(old or []), item]})
    assert judged((file,)) == file.data

    back = remove(edited, ("clusters", len(old or [])))
    if old is None:
        assert same({**read_yaml(before.encode(), "", if_empty="").data, "clusters": []}, judged(changed(edited, back)))
    else:
        assert [each.text for each in back] == [each.text for each in document.files]


@given(sites(), ITEMS, st.data())
def test_removing_leaves_every_other_cluster_and_comment(
    contents: dict[str, bytes], item: dict[str, Any], choose: st.DataObject
) -> None:
    document = read(contents)
    two = append(append(document.files, ("clusters",), item), ("clusters",), item)
    clusters = next(each.data["clusters"] for each in two if "clusters" in each.data)
    index = choose.draw(st.integers(0, len(clusters) - 1))
    (file,) = changed(two, remove(two, ("clusters", index)))

    assert same(file.data["clusters"], [*clusters[:index], *clusters[index + 1 :]])
    assert judged((file,)) == file.data


@given(sites(), ITEMS)
def test_files_on_a_disk_keep_their_marks_and_line_ends(contents: dict[str, bytes], item: dict[str, Any]) -> None:
    read(contents)
    with TemporaryDirectory() as name:
        folder = Path(name)
        for each, content in contents.items():
            (folder / each).write_bytes(content)
        document = load(folder / "site.yaml")
        (file,) = changed(document.files, append(document.files, ("clusters",), item))
        path = Path(file.name)
        before = path.read_bytes()
        mark = before[: len(before) - len(without_mark(before).encode())]
        rewrite([Rewrite(path, before, mark + file.text.encode())])
        after = {each: (folder / each).read_bytes() for each in contents}

        assert sorted(each.name for each in folder.iterdir()) == sorted(contents)
        assert [each for each in contents if after[each] != contents[each]] == [path.name]
        assert after[path.name].startswith(mark)
        assert b"\r\n" not in after[path.name] or b"\n" not in after[path.name].replace(b"\r\n", b"")
