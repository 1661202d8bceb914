"""Which simulator renders: how it is named, and what of it decides whether a finished step is done again."""

from typing import NoReturn

import pytest
from typer.testing import CliRunner

import flows.__main__ as command_line
from dataset.errors import InputError
from dataset.schema import Camera
from flows import single
from flows.settings import resolve
from simulator.carla.config import CarlaConfig
from simulator.scene import Place, Scene, SceneCamera
from tasks import rendering
from tasks.config import CampaignConfig, SimulatorConfig
from tasks.rendering import inputs_of
from tasks.steps import digest_of


class Drawn(Exception):
    """What kinds of places a verb would have rendered."""


def digest(**settings) -> str:
    return digest_of(inputs_of(SimulatorConfig.model_validate(settings), recreated=True))


CARLA = {"address": "carla://a:2000"}


def test_carla_instead_of_the_embedded_simulator_makes_other_pictures():
    assert digest() != digest(**CARLA)


@pytest.mark.parametrize(
    "same",
    [
        {"address": "carla://b:2000,c:2000"},
        {**CARLA, "workers": 3},
        {**CARLA, "supervision": {"tries": 2, "restart_command": "true"}},
        {**CARLA, "carla": {"rpc_timeout_s": 3}},
    ],
)
def test_which_servers_render_and_how_they_are_watched_over_changes_no_picture(same):
    assert digest(**same) == digest(**CARLA)


@pytest.mark.parametrize("coefficient", ["radial_k1", "radial_k2"])
def test_a_lens_that_distorts_is_refused_before_a_server_is_asked(coefficient):
    lens = {"simulator.street": {coefficient: [-0.1, 0.0]}}
    assert resolve("smoke", flags=lens).simulator.street.distorts
    with pytest.raises(InputError, match=rf"{coefficient} \[-0\.1, 0\.0\].* CARLA's cameras are pinholes"):
        resolve("smoke", flags={**lens, "simulator.address": "carla://a:2000"})


def test_carlas_maps_decide_its_pictures_and_no_others():
    maps = {"carla": {"maps": ["Town03"]}}
    assert digest(**CARLA, **maps) != digest(**CARLA)
    assert digest(**maps) == digest()


def test_streets_of_a_map_have_what_lies_on_none_shown_on_the_same_towns(tmp_path, monkeypatch):
    for name in ("Town03", "Town01"):
        (tmp_path / f"{name}.xodr").write_text(name)
    files = [str(tmp_path / f"{name}.xodr") for name in ("Town03", "Town01", "Town03")]
    shown = SimulatorConfig.model_validate({**CARLA, "street": {"maps": files}})
    assert shown.carla_shown.maps == ("Town03", "Town01")
    named = shown.model_copy(update={"carla": CarlaConfig(maps=("Town07",))})
    assert named.carla_shown.maps == ("Town07",)
    asked = []
    monkeypatch.setattr(rendering, "require_a_server", lambda *_: None)
    monkeypatch.setattr(rendering, "render_scenes", lambda *_, **given: asked.append(given))
    rendering.render([], tmp_path, shown)  # type: ignore[arg-type]
    (given,) = asked
    scene = Scene(SceneCamera(Camera(700, 700, 320, 100), 640, 200), place=Place(seed=3))
    assert given["together"](scene) in ("Town03", "Town01")
    given["backend_factory"]().close()
    assert given["backend_factory"].args[1].maps == ("Town03", "Town01")
    assert digest_of(inputs_of(shown, recreated=True)) != digest(**CARLA)


@pytest.mark.parametrize(("simulator", "kinds"), [(CARLA, {"suburb", "urban"}), ({}, {"car_park", "junction"})])
def test_no_traffic_is_laid_out_for_a_car_park_or_a_crossing_road_that_carla_will_not_show(
    simulator, kinds, tmp_path, monkeypatch
):
    def drawn(jobs, *_) -> NoReturn:
        raise Drawn({jobs.scene(index, 0).place.kind for index in range(12)})

    monkeypatch.setattr(single, "render", drawn)
    shares = {"places": {"car_park": 0.5, "junction": 0.5}}
    config = CampaignConfig.model_validate({"simulator": {**simulator, "randomisation": shares}})
    with pytest.raises(Drawn) as given:
        single.render_once(config, None, 12, tmp_path)
    assert given.value.args == (kinds,)


@pytest.mark.parametrize(
    ("address", "told"),
    [("localhost:2000", "neither 'embedded' nor"), ("carla://a:b", "no host:port"), ("carla://a:1,a:1", "twice")],
)
def test_an_address_that_is_none_is_quoted_with_its_key(address, told):
    with pytest.raises(InputError, match=rf"simulator\.address(?s:.*){told}"):
        resolve(None, flags={"simulator.address": address})


def test_the_flag_beats_the_environment(monkeypatch):
    seen = []
    monkeypatch.setattr(command_line, "_run_campaign", lambda config, plan: seen.append(config.simulator.address))
    for arguments in ([], ["--simulator", "carla://flag:1"], ["--simulator", "embedded"]):
        result = CliRunner().invoke(
            command_line.app, ["campaign", "--preset", "smoke", *arguments], env={"HARDCASE_SIMULATOR": "carla://env:1"}
        )
        assert result.exit_code == 0, result.output
    assert seen == ["carla://env:1", "carla://flag:1", "embedded"]
