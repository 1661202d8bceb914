"""Which triangle lies behind a point of the film: the same, whatever window it is looked for through."""

import numpy as np
import pytest

from simulator.embedded.mesh import Material, Mesh
from simulator.embedded.tracer import CENTRE, Window, covered, pinhole_of
from simulator.embedded.world import build_world, start_warp
from tests.embedded_street import CAMERA, ROAD

COLUMNS = 8  # of a window in which no row is narrowed


def triangles(seed: int, count: int = 400) -> Mesh:
    """Slivers, level edges and triangles that reach behind the camera, all about."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform((-12, -3, -2), (12, 40, 6), (count, 3, 3)).astype(np.float32)
    corners[::4, 1] = corners[::4, 0] + rng.normal(0, 0.02, (count // 4, 3))
    corners[1::4, 1, 2] = corners[1::4, 0, 2]
    faces = np.arange(3 * count, dtype=np.int32).reshape(-1, 3)
    tags = np.full(count, ROAD, np.uint8)
    return Mesh(corners.reshape(-1, 3), faces, np.zeros(count, np.int32), tags, (Material((0.5, 0.5, 0.5)),))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_rows_of_wide_triangles_have_the_columns_that_each_column_finds_for_itself(seed):
    start_warp()
    world, pinhole = build_world(triangles(seed), []), pinhole_of(CAMERA)
    faces, height_px = (0, len(world.instance)), CAMERA.height_px
    whole = covered(world, pinhole, faces, Window(0, 0, height_px, CAMERA.width_px), CENTRE).numpy()
    strips = [
        covered(world, pinhole, faces, Window(x, 0, height_px, COLUMNS), CENTRE).numpy()
        for x in range(0, CAMERA.width_px, COLUMNS)
    ]
    assert (whole > 0).mean() > 0.5
    assert np.array_equal(whole, np.concatenate(strips, axis=2))
