"""A folder of frames belongs to what they were rendered with: settings, models, maps."""

from functools import partial
from pathlib import Path

import pytest

import tasks.rendering
from dataset.errors import InputError
from simulator.session import SessionReport, render_scenes
from tasks.config import SimulatorConfig
from tests.block_backend import BlockBackend
from tests.test_map_street import town
from tests.test_own_models import entry, folder_with, pickup
from tests.test_simulator_session import contents, random_jobs


@pytest.fixture
def render(monkeypatch, tmp_path):
    """The task's own render, its pictures made of blocks in this process."""

    def blocks(*args, backend_factory, workers, **options) -> SessionReport:
        return render_scenes(*args, backend_factory=BlockBackend, workers=0, progress=False, **options)

    monkeypatch.setattr(tasks.rendering, "render_scenes", blocks)
    return partial(tasks.rendering.render, random_jobs(2), tmp_path / "out")


def own_model(folder: Path, share: float) -> Path:
    pickup().export(folder_with(folder, entry(), share=share) / "pickup.glb")
    return folder


def test_frames_rendered_with_other_models_are_refused_and_with_the_same_ones_found_again(render, tmp_path):
    config = SimulatorConfig(models=own_model(tmp_path / "own", share=1.0))
    render(config)
    before = contents(tmp_path / "out")
    render(config)
    assert contents(tmp_path / "out") == before
    with pytest.raises(InputError, match=r"another key: .*other settings, models, maps or code"):
        render(SimulatorConfig())
    own_model(tmp_path / "own", share=0.9)  # the same folder, another manifest
    with pytest.raises(InputError, match="another key"):
        render(config)


def test_a_map_that_was_edited_makes_other_frames_and_one_that_is_gone_is_named(render, tmp_path):
    file = Path(town(tmp_path / "t.xodr"))
    config = SimulatorConfig.model_validate({"street": {"maps": [str(file)]}})
    render(config)
    render(config)
    town(file, climb=0.001)
    with pytest.raises(InputError, match="another key"):
        render(config)
    file.unlink()
    with pytest.raises(InputError, match=r"t\.xodr: cannot be read"):
        render(config)


def test_what_only_random_streets_are_drawn_from_does_not_undo_recreated_frames(tmp_path):
    mapped = SimulatorConfig.model_validate({"street": {"maps": [town(tmp_path / "t.xodr")]}})
    plain = SimulatorConfig()
    assert tasks.rendering.inputs_of(mapped, recreated=True) == tasks.rendering.inputs_of(plain, recreated=True)
    assert tasks.rendering.inputs_of(mapped, recreated=False) != tasks.rendering.inputs_of(plain, recreated=False)
