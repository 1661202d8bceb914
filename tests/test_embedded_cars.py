"""What a car shows close by: its panes, its dirt, its number plates."""

import numpy as np
import pytest
import warp as wp

from simulator.embedded.assets import materials as m
from simulator.embedded.assets.cars import car
from simulator.embedded.kernels.gloss import highlight, mirrored_share
from simulator.embedded.kernels.patterns import textured
from simulator.embedded.kernels.surface import Surface
from simulator.embedded.kernels.texture import Texture
from simulator.embedded.mesh import PATTERNS
from simulator.embedded.world import start_warp

SIDE, REAR = (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0)


@wp.kernel
def shares(gloss: wp.array(dtype=float), cos_angle: wp.array(dtype=float), out: wp.array(dtype=float)):  # type: ignore[valid-type]
    i = wp.tid()
    out[i] = mirrored_share(gloss[i], 0.04, cos_angle[i])


@wp.kernel
def highlights(clearcoat: float, toward: wp.array(dtype=wp.vec3), out: wp.array(dtype=float)):  # type: ignore[valid-type]
    i = wp.tid()
    surface = Surface()
    surface.normal = wp.vec3(0.0, 0.0, 1.0)
    surface.roughness = 0.9
    surface.clearcoat = clearcoat
    out[i] = highlight(surface, wp.vec3(-toward[i][0], 0.0, toward[i][2]), toward[i])


@wp.kernel
def colours(
    pattern: int,
    scale_m: float,
    normal: wp.vec3,
    point: wp.array(dtype=wp.vec3),  # type: ignore[valid-type]
    colour: wp.array(dtype=wp.vec3),  # type: ignore[valid-type]
    clearcoat: wp.array(dtype=float),  # type: ignore[valid-type]
):
    i = wp.tid()
    plain = Texture()
    plain.color = wp.vec3(0.05, 0.05, 0.05)
    plain.clearcoat = 0.8
    shown = textured(plain, pattern, scale_m, point[i], normal, 0.001, 0.0)
    colour[i] = shown.color
    clearcoat[i] = shown.clearcoat


def shown(pattern: str, scale_m: float, normal, points_m) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3) colours and (N,) clearcoats of a surface of colour 0.05 and clearcoat 0.8."""
    start_warp()
    count = len(points_m)
    colour, clearcoat = wp.zeros(count, dtype=wp.vec3, device="cpu"), wp.zeros(count, dtype=float, device="cpu")
    points = wp.array(np.asarray(points_m, np.float32), dtype=wp.vec3, device="cpu")
    inputs = [PATTERNS[pattern], scale_m, wp.vec3(*normal), points, colour, clearcoat]
    wp.launch(colours, dim=count, inputs=inputs, device="cpu")
    return colour.numpy(), clearcoat.numpy()


def test_pane_mirrors_with_both_its_faces_and_paint_with_one():
    start_warp()
    gloss, cosine = np.array([1.0, 0.8, 2.0, 2.0, 2.0]), np.array([1.0, 1.0, 1.0, 0.5, 0.0])
    out = wp.zeros(5, dtype=float, device="cpu")
    given = [wp.array(a.astype(np.float32), device="cpu") for a in (gloss, cosine)]
    wp.launch(shares, dim=5, inputs=[*given, out], device="cpu")
    one_face = 0.04 + 0.96 * (1 - cosine) ** 5
    # Light that passes the first face is thrown to and fro between both: R + R (1-R)^2 (1 + R^2 + ...) = 2R / (1+R)
    to_and_fro = one_face + one_face * (1 - one_face) ** 2 / np.maximum(1 - one_face**2, 1e-9)
    assert out.numpy() == pytest.approx([0.04, 0.032, *to_and_fro[2:]], abs=1e-5)


def test_pane_mirrors_the_sun_as_it_mirrors_the_sky_with_both_faces():
    """Square on the two mirror 2 x 0.04 but for a 25th of it; the more one mirrors, the less the other adds."""
    start_warp()
    slant_rad = np.radians([0.0, 60.0, 80.0])
    toward = np.stack([np.sin(slant_rad), np.zeros(3), np.cos(slant_rad)], axis=1).astype(np.float32)
    shine = {}
    for faces in (1.0, 2.0):
        out = wp.zeros(3, dtype=float, device="cpu")
        wp.launch(highlights, dim=3, inputs=[faces, wp.array(toward, dtype=wp.vec3, device="cpu"), out], device="cpu")
        shine[faces] = out.numpy()
    one_face = 0.04 + 0.96 * (1 - np.cos(slant_rad)) ** 5
    assert shine[2.0] / shine[1.0] == pytest.approx(2 / (1 + one_face), rel=1e-4)
    assert shine[2.0].max() < 19  # none is cut off


def test_spray_dries_on_the_sill_and_not_on_the_roof():
    points = [(x, 0.9, z) for z in (0.1, 1.6) for x in np.linspace(-2, 2, 40)]
    colour, clearcoat = shown("splashed", 0.6, SIDE, points)
    sill, roof = colour[:40], colour[40:]
    assert (sill[:, 0] > 0.09).all() and (sill[:, 0] > sill[:, 2]).all()  # brown on dark paint
    assert roof == pytest.approx(0.05) and clearcoat[40:] == pytest.approx(0.8)
    assert (clearcoat[:40] < 0.5).all()


def test_two_head_rests_stand_side_by_side_before_a_car_s_rear_window():
    across = np.linspace(-0.7, 0.7, 141)
    colour, _ = shown("cabin", 1.5, REAR, [(-1.8, y, 1.16) for y in across])
    dark = colour[:, 0] < 0.02
    edges = np.flatnonzero(np.diff(dark.astype(int)))
    assert len(edges) == 4 and not dark[70]  # a gap between the seats
    roof, _ = shown("cabin", 1.5, REAR, [(-1.8, y, 1.4) for y in across])
    assert (roof[:, 0] > 0.04).all()  # light from the windscreen above them


def test_number_plates_are_52_by_11_cm_and_upright_at_both_ends():
    for seed in range(6):
        mesh = car(seed, "default", (1.5, 1.8, 4.3))
        plates = [i for i, material in enumerate(mesh.materials) if material in (m.PLATE, m.YELLOW_PLATE)]
        corners = mesh.vertices_m[mesh.faces[np.isin(mesh.material, plates)]]
        for end in (corners[corners[..., 0].mean(1) > 0], corners[corners[..., 0].mean(1) < 0]):
            size = np.ptp(end.reshape(-1, 3), axis=0)
            assert size == pytest.approx([0, 0.52, 0.11], abs=1e-6)


def test_panes_of_a_car_are_glass_of_its_own_tint_and_let_some_light_through():
    tints = set()
    for seed in range(12):
        panes = [one for one in car(seed, "default", (1.5, 1.8, 4.3)).materials if one.pattern == PATTERNS["cabin"]]
        assert len(panes) == 1 and panes[0].pattern_scale_m == 1.5
        tints.add(round(panes[0].color[1], 3))
    assert len(tints) > 6 and max(tints) < 0.1
