"""From 16-bit ids to the scene's actors."""

import numpy as np
import pytest

from dataset.schema import Camera
from simulator.carla.alone import AloneInTheSky
from simulator.carla.masks import Patch, colliding, instances, layers_of, patch_of
from simulator.carla.optics import WIDE, scene_pixels_of_wide
from simulator.carla.pixels import FAR_M, Ids, depth_m_of, ids_of
from simulator.scene import Actor, SceneCamera

CAR, RIDER, BICYCLE, WALL = 14, 13, 19, 4


def ids(*things: tuple[int, int, slice, slice], shape: tuple[int, int] = (60, 100)) -> Ids:
    """An instance image of (id, tag, rows, columns), the later ones in front."""
    low16, tag = np.zeros(shape, np.uint16), np.zeros(shape, np.uint8)
    for actor_id, thing_tag, rows, columns in things:
        low16[rows, columns], tag[rows, columns] = actor_id & 0xFFFF, thing_tag
    return Ids(low16, tag)


def test_bytes_of_an_instance_image_are_blue_times_256_plus_green_and_the_tag():
    seen = ids_of(np.array([[[0x12, 0x34, 14, 255]]], np.uint8))
    assert (seen.low16[0, 0], seen.tag[0, 0]) == (0x1234, 14)


def test_depth_has_24_bits_and_none_in_the_sky():
    code = round(37.5 / FAR_M * (2**24 - 1))
    pixel = [code >> 16, code >> 8 & 255, code & 255, 255]
    depth = depth_m_of(np.array([[pixel, pixel]], np.uint8), np.array([[1, 11]], np.uint8))
    assert depth[0].tolist() == pytest.approx([37.5, np.inf], abs=1e-4)


def test_rider_and_machine_are_one_silhouette():
    box = (20.0, 10.0, 30.0, 40.0)
    seen = ids((7, RIDER, slice(10, 25), slice(20, 30)), (7, BICYCLE, slice(25, 40), slice(20, 30)))
    patch = patch_of(seen, 7, box)
    assert patch.area_px == 300
    assert patch.box_xyxy_px == box
    assert patch.tags == {RIDER, BICYCLE}


def test_an_id_that_passes_65536_is_found_by_its_lower_16_bits():
    seen = ids((65536 + 5, CAR, slice(10, 20), slice(20, 40)))
    assert patch_of(seen, (65536 + 5) & 0xFFFF, (20, 10, 40, 20)).area_px == 200


def test_a_wall_with_the_same_id_is_not_the_car():
    """Elsewhere it lies outside the silhouette; where it hides the car it has another tag."""
    patch = patch_of(ids((9, CAR, slice(20, 40), slice(40, 60))), 9, (40, 20, 60, 40))
    picture = ids((9, CAR, slice(20, 40), slice(40, 60)), (9, WALL, slice(0, 60), slice(0, 50)))
    instance = instances(picture, [9], [patch])
    assert (instance == 1).sum() == 20 * 10
    assert not (instance[:, :50]).any()


def test_a_swaying_walker_keeps_his_edge():
    patch = patch_of(ids((3, 12, slice(10, 50), slice(40, 50))), 3, (40, 10, 50, 50))
    instance = instances(ids((3, 12, slice(10, 50), slice(41, 51))), [3], [patch])
    assert (instance == 1).sum() == 400


def test_an_actor_without_a_silhouette_is_not_in_the_picture():
    empty = Patch(0, 0, np.zeros((4, 4), bool), frozenset())
    assert not instances(ids((3, CAR, slice(0, 9), slice(0, 9))), [3, 4], [empty, None]).any()


def test_boxes_that_touch_are_never_in_one_layer_and_others_share_it():
    boxes = [(0, 0, 100, 100), (90, 0, 200, 100), (400, 0, 500, 100), None, (210, 0, 390, 100)]
    layers = layers_of(boxes)
    assert sorted(i for layer in layers for i in layer) == [0, 1, 2, 4]
    assert len(layers) == 2
    assert not any({0, 1} <= set(layer) or {1, 4} <= set(layer) or {2, 4} <= set(layer) for layer in layers)


def test_two_actors_with_the_same_lower_bits_collide():
    assert colliding([5, 6, 65536 + 5, 7, 65536 + 7]) == [2, 4]


def test_what_lies_outside_the_picture_is_counted_in_the_wide_one():
    """A box face-on at 10 m, half of it past the right edge."""
    camera = SceneCamera(Camera(500.0, 500.0, 320.0, 96.0, height_m=1.5), 640, 192)
    actor = Actor("car", 6.4, 10.005, -np.pi / 2, (1.5, 2.0, 0.01), "Car")
    alone = AloneInTheSky(camera, [actor])
    assert alone.leaves_picture(0)
    u, v = np.arange(640) + 0.5, np.arange(192) + 0.5
    inside = ((v > 96) & (v < 96 + 75))[:, None] & (u > 270 + 320)[None, :] & (u < 370 + 320)[None, :]
    columns, rows, _ = scene_pixels_of_wide(camera)
    wide = ((rows > 96) & (rows < 96 + 75))[:, None] & ((columns > 590) & (columns < 690))[None, :]
    alone.see(
        0, 5, Ids(np.where(inside, 5, 0).astype(np.uint16), np.where(inside, CAR, 0).astype(np.uint8)),
        Ids(np.where(wide, 5, 0).astype(np.uint16), np.where(wide, CAR, 0).astype(np.uint8)),
    )  # fmt: skip
    whole = alone.silhouettes()
    assert whole.inside_px[0] == 50 * 75
    assert whole.area_px[0] == pytest.approx(100 * 75, rel=0.06)
    assert whole.box_xyxy_px[0, 2] == pytest.approx(690, abs=5)
    assert WIDE.width_px == len(columns)
