from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aamic.deploy.hostfolder import OURS, host_files, reroot, write_host
from aamic.model.tree import Bundle, File
from aamic.twin.folders import bind, is_safe_root, make_folders

ROOT = "/scratch/twin"


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("/etc/aami", "/scratch/twin/etc/aami"),
        ('"/var/lib/aami/targets/shard-1-nodes.json"', '"/scratch/twin/var/lib/aami/targets/shard-1-nodes.json"'),
        ("--config.file=/etc/aami/prometheus.yml", "--config.file=/scratch/twin/etc/aami/prometheus.yml"),
        ("/etc/aami,/var/lib/aami", "/scratch/twin/etc/aami,/scratch/twin/var/lib/aami"),
        ("/etc/aamic /etc/aami-x /etc/aami.d", "/etc/aamic /etc/aami-x /etc/aami.d"),
        ("/mnt/etc/aami x/etc/aami", "/mnt/etc/aami x/etc/aami"),
        ("/var/lib /etc", "/var/lib /etc"),
    ],
)
def test_paths_move_at_their_boundaries(text: str, moved: str) -> None:
    assert reroot(text.encode(), OURS, ROOT) == moved.encode()


def test_the_longer_folder_wins_and_each_path_moves_once() -> None:
    assert reroot(b"/data/a /data", ["/data", "/data/a"], "/data/a") == b"/data/a/data/a /data/a/data"


@given(st.binary())
def test_bytes_without_our_paths_stay(content: bytes) -> None:
    assert reroot(content, OURS, ROOT) == content


@given(st.lists(st.text("abcdefgh=:/-. ", max_size=12)))
def test_arguments_that_listen_nowhere_stay(arguments: list[str]) -> None:
    assert bind(arguments, "127.77.0.1") == tuple(arguments)


@pytest.mark.parametrize(
    ("argument", "bound"),
    [
        (":9100", "127.77.0.1:9100"),
        ("[::]:9100", "127.77.0.1:9100"),
        ("--web.listen-address=:9100", "--web.listen-address=127.77.0.1:9100"),
        ("--cluster.listen-address=0.0.0.0:9094", "--cluster.listen-address=127.77.0.1:9094"),
        ("--cluster.listen-address=", "--cluster.listen-address="),
        ("--cluster.peer=127.77.0.2:9094", "--cluster.peer=127.77.0.2:9094"),
        ("--web.listen-address=127.0.0.1:9100", "--web.listen-address=127.0.0.1:9100"),
    ],
)
def test_only_addresses_of_all_interfaces_are_bound(argument: str, bound: str) -> None:
    assert bind(["x", argument], "127.77.0.1") == ("x", bound)


@pytest.mark.parametrize(("path", "safe"), [("/tmp/aamic-a1_b", True), ("/tmp/a b", False), ('/tmp/"', False)])  # noqa: S108
def test_safe_roots(path: str, safe: bool) -> None:  # noqa: FBT001
    assert is_safe_root(Path(path)) == safe


def test_a_host_gets_the_files_of_all_its_bundles(tmp_path: Path) -> None:
    def bundle(name: str, hosts: tuple[str, ...], file: File) -> Bundle:
        return Bundle(name, hosts, (file,), {}, (), {}, {}, "exporters")

    first, second = File("/etc/aami/a", b"see /etc/aami/b"), File("/usr/b", b"b")
    hosts = host_files([bundle("one", ("x", "y"), first), bundle("two", ("y",), second)])

    assert hosts == {"x": {"/etc/aami/a": first}, "y": {"/etc/aami/a": first, "/usr/b": second}}

    write_host(tmp_path / "y", hosts["y"], OURS)

    assert (tmp_path / "y/etc/aami/a").read_text() == f"see {tmp_path}/y/etc/aami/b"
    assert (tmp_path / "y/usr/b").read_bytes() == b"b"


def test_folders_of_tmpfiles_are_made_below_the_root_only(tmp_path: Path) -> None:
    lines = (
        "d /var/lib/aami/prometheus 0750 u - -\nd /elsewhere/aamic-test 0750 u - -\nf /var/lib/aami/file 0644 u - -\n"
    )
    files = {"/etc/tmpfiles.d/aami.conf": File("/etc/tmpfiles.d/aami.conf", lines.encode())}
    write_host(tmp_path, files, OURS)

    make_folders(tmp_path, files)

    assert [path.name for path in (tmp_path / "var/lib/aami").iterdir()] == ["prometheus"]
    assert not Path("/elsewhere").exists()
