"""What stands in for the real world shares neither towns nor models with the scenes that answer its failures."""

from types import SimpleNamespace
from typing import Any

import pytest

from flows.settings import resolve
from tasks import stand_in
from tasks.config import EMBEDDED

SERVER = {"simulator.address": "carla://a:2000"}
LENS = {"simulator.street.radial_k1": [-0.1, -0.05], "simulator.street.radial_k2": [0.01, 0.02]}


@pytest.mark.parametrize("seen_by", [SERVER, LENS])
def test_the_stand_in_is_not_drawn_on_the_users_maps_nor_with_his_models_or_camera(seen_by, tmp_path, monkeypatch):
    asked: list[tuple[Any, Any]] = []
    rendered = SimpleNamespace(dataset=SimpleNamespace(digest=""))
    monkeypatch.setattr(
        stand_in, "render", lambda jobs, _, simulator, name: asked.append((jobs, simulator)) or rendered
    )
    monkeypatch.setattr(stand_in, "run_step", lambda folder, work, **_: work(folder))
    flags = {"simulator.street.maps": ["Town03.xodr"], "simulator.models": "mine", **seen_by}
    campaign: Any = SimpleNamespace(config=resolve("smoke", flags=flags), run=SimpleNamespace(data=tmp_path))
    stand_in.render_stand_in(campaign)
    ((jobs, simulator),) = asked
    scenes = [jobs.scene(index, 0) for index in range(4)]
    assert all(scene.place.map is None and scene.asset_set == "stand-in" for scene in scenes)
    assert all(scene.camera.radial_k1 == scene.camera.radial_k2 == 0 for scene in scenes)
    assert simulator.street.maps == () and simulator.models is None and simulator.address == EMBEDDED
