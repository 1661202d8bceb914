"""What `make benchmarks` runs ends in figures, and not in hours; the streets that an experiment learns from."""

import re
import subprocess
from pathlib import Path

import pytest

from benchmarks.transfer_frames import render_streets
from dataset.errors import InputError

ROOT = Path(__file__).parents[1]


def test_all_that_make_runs_ends_with_json_and_none_of_it_is_an_experiment():
    plan = subprocess.run(["make", "-n", "benchmarks"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    scripts = re.findall(r"benchmarks/(\w+)\.py", plan)
    assert {"evaluate", "train", "render"} <= set(scripts)
    assert not {"accuracy", "transfer", "transfer_frames", "refiner_gain"} & set(scripts)
    for script in scripts:
        code = (ROOT / "benchmarks" / f"{script}.py").read_text()
        assert re.search(r"print\(\s*json\.dumps\(", code), script


@pytest.mark.parametrize("settings", [None, {}, {"simulator": {"max_width_px": 640}}])
def test_a_size_needs_a_camera_that_takes_pictures_of_it(settings, tmp_path):
    with pytest.raises(InputError, match="--size: there is no camera for it"):
        render_streets(tmp_path, 1, settings=settings, size_px=(1224, 370))
