"""Who holds which server: addresses, locks, rests, what holders tell each other."""

import os
import socket
import stat
import time

import pytest

from dataset.errors import InputError
from simulator.carla.pool import Pool, servers_of


@pytest.mark.parametrize(
    ("address", "servers"),
    [
        ("carla://there", [("there", 2000)]),
        ("carla://a.b:1,c-d:65000", [("a.b", 1), ("c-d", 65000)]),
    ],
)
def test_an_address_names_servers(address, servers):
    assert list(servers_of(address)) == servers


@pytest.mark.parametrize(
    "address", ["carla://", "carla://a:b", "carla://a:70000", "carla://a:1,a:1", "carla://a/b", "carla://[::1]:2000"]
)
def test_an_address_that_names_no_servers_is_quoted(address):
    with pytest.raises(InputError, match="simulator address"):
        servers_of(address)


def test_a_server_that_rests_is_left_alone_by_all(tmp_path):
    servers = servers_of("carla://127.0.0.1:1,127.0.0.1:2")
    pool, other = Pool(servers, tmp_path), Pool(servers, tmp_path)
    first = pool.claim(0)
    first.rest(0.5, "it stalled")
    first.close()
    second = other.claim(0, last=first.server)
    assert second.server != first.server
    with pytest.raises(InputError, match=r"rests \(it stalled\).*held by|held by.*rests \(it stalled\)"):
        pool.claim(0)
    began_s = time.monotonic()
    assert pool.claim(2).server == first.server and time.monotonic() - began_s > 0.2


def test_maps_are_counted_from_holder_to_holder_until_a_restart(tmp_path):
    servers = servers_of("carla://127.0.0.1:1")
    for loads in (2, 3):
        claim = Pool(servers, tmp_path).claim(0)
        claim.add_map_loads(loads)
        claim.close()
    claim = Pool(servers, tmp_path).claim(0)
    assert claim.map_loads == 5
    claim.restarted()
    assert claim.map_loads == 0


@pytest.mark.parametrize("left", [b"[]", b"7", b'{"map_loads": 3', b"\xff"])
def test_a_lock_file_with_anything_in_it_is_as_if_nothing_were_known(tmp_path, left):
    servers = servers_of("carla://127.0.0.1:1")
    Pool(servers, tmp_path).claim(0).close()
    (tmp_path / "127.0.0.1-1.lock").write_bytes(left)
    claim = Pool(servers, tmp_path).claim(0)
    assert claim.map_loads == 0
    claim.add_map_loads(2)
    claim.close()
    assert Pool(servers, tmp_path).claim(0).map_loads == 2


def test_a_link_in_place_of_a_lock_file_is_not_followed(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("thesis")
    folder = tmp_path / "locks"
    folder.mkdir()
    (folder / "127.0.0.1-1.lock").symlink_to(precious)
    with pytest.raises(OSError, match="symbolic links"):
        Pool(servers_of("carla://127.0.0.1:1"), folder).claim(0).rest(1, "x")
    assert precious.read_text() == "thesis"


def test_locks_lie_in_a_folder_that_only_their_user_can_write_into(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    Pool(servers_of("carla://127.0.0.1:1"))
    (folder,) = tmp_path.iterdir()
    assert folder.name.endswith(str(os.getuid())) and stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.rmdir()
    folder.symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(InputError, match="no folder of this user's own"):
        Pool(servers_of("carla://127.0.0.1:1"))


@pytest.mark.parametrize("below", ["", "locks"])
def test_a_file_in_the_place_of_the_locks_folder_is_named(tmp_path, below):
    (tmp_path / "file").write_text("something")
    with pytest.raises(InputError, match=r"file.*no folder for the locks.*[Rr]emove what is there"):
        Pool(servers_of("carla://127.0.0.1:1"), tmp_path / "file" / below)
    assert (tmp_path / "file").read_text() == "something"


def test_a_folder_that_others_may_write_into_is_taken_from_them(tmp_path):
    tmp_path.chmod(0o777)
    Pool(servers_of("carla://127.0.0.1:1"), tmp_path)
    assert not tmp_path.stat().st_mode & 0o022


def test_all_names_of_a_server_are_one_lock(tmp_path, monkeypatch):
    places = {"box": ["10.1.2.3"], "box.lan": ["10.1.2.4", "10.1.2.3"], "10.1.2.3": ["10.1.2.3"]}

    def getaddrinfo(host, port, *_):
        if host == "localhost":
            return [(2, 1, 6, "", ("127.0.0.1", port))]
        if host == "this-machine":
            return [(2, 1, 6, "", ("127.0.1.1", port))]
        if host not in places:
            raise socket.gaierror(-3, "Temporary failure in name resolution")
        return [(2, 1, 6, "", (address, port)) for address in places[host]]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    for held, *others in (["box", "box.lan", "10.1.2.3"], ["localhost", "this-machine"], ["unknown", "unknown"]):
        claim = Pool(servers_of(f"carla://{held}"), tmp_path).claim(0)
        for other in others:
            with pytest.raises(InputError, match="held by another client"):
                Pool(servers_of(f"carla://{other}"), tmp_path).claim(0)
        claim.close()
