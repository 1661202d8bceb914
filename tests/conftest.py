"""Fixtures that tests of several parts share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.carla_loopback import Running, running_server
from tests.servers import prefect_server

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the repository; tests that need it are skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs real data in ../shared/data beside the repository")
    return SHARED_DATA


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """For networks so small that more threads only wait for each other, and for sums in the same order everywhere.

    For a module, so that what its own fixtures train is summed in that order, too.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def prefect_env(tmp_path_factory) -> Iterator[dict[str, str]]:
    """The environment of a Prefect server that lasts for the whole test session: starting one takes 15 s."""
    with prefect_server(tmp_path_factory.mktemp("prefect")) as env:
        yield env


@pytest.fixture(scope="session")
def loopback_server() -> Iterator[Running]:
    """A CARLA loopback server for the whole test session; its actor ids soon outgrow 16 bits."""
    with running_server("--first-actor-id", "65500", "--late-s", "0.4") as server:
        yield server
