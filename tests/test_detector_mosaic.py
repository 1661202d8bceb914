"""A mosaic's boxes say what its pixels show."""

import numpy as np
import pytest

from dataset.schema import EVERY_CATEGORY, Objects
from models.detector.config import AugmentConfig, TrainConfig
from models.detector.mosaic import CENTRE_SHARE, Mosaic
from models.detector.samples import ImageCache, Samples
from tests.detector_shapes import DETECTOR, shapes_data

WIDTH_PX, HEIGHT_PX = 96, 64


def drawn(seed: int) -> Mosaic:
    return Mosaic.draw(WIDTH_PX, HEIGHT_PX, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(12))
def test_boxes_hold_the_pixels_of_their_objects_and_no_others(seed):
    """A rectangle in each image, bright in a grey of its own, the same in all four places."""
    rng = np.random.default_rng(seed)
    images, objects = [], []
    for i in range(4):
        x, y = rng.integers(0, WIDTH_PX - 40), rng.integers(0, HEIGHT_PX - 30)
        images.append(np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8))
        images[i][y : y + 30, x : x + 40] = 255
        objects.append(Objects.of([i], [[x, y, x + 40, y + 30]]))
    mosaic = drawn(seed)
    seen, found = mosaic.image(images)[..., 0] > 127, mosaic.objects(objects, 0.0)
    for i, (x0, y0, x1, y1) in enumerate(mosaic.tile_xyxy_px):
        rows, columns = np.nonzero(seen[y0:y1, x0:x1])
        box = found.box_xyxy_px[found.category == i]
        if not len(rows):
            assert not len(box) or (box[0, 2:] - box[0, :2]).min() < 1
            continue
        shown = [columns.min() + x0, rows.min() + y0, columns.max() + 1 + x0, rows.max() + 1 + y0]
        assert np.abs(box[0] - shown).max() <= 1.0


@pytest.mark.parametrize("seed", range(6))
def test_tiles_are_filled_and_fill_the_image(seed):
    mosaic = drawn(seed)
    owner = np.zeros((HEIGHT_PX, WIDTH_PX), int)
    for x0, y0, x1, y1 in mosaic.tile_xyxy_px:
        owner[y0:y1, x0:x1] += 1
    assert (owner == 1).all()
    white = [np.full((HEIGHT_PX, WIDTH_PX, 3), 255, np.uint8)] * 4
    assert (mosaic.image(white) == 255).all(), "no tile shows what lies outside its image"
    assert (mosaic.scale <= 1).all()
    x, y = mosaic.tile_xyxy_px[0, 2:] / [WIDTH_PX, HEIGHT_PX]
    assert all(CENTRE_SHARE[0] - 0.01 < share < CENTRE_SHARE[1] + 0.01 for share in (x, y))


def test_what_a_tile_cuts_off_adds_to_the_truncation_and_hides_what_is_hardly_left():
    """Images unscaled, each tile showing its own quarter of them: a box across the middle is cut in half."""
    tiles = np.array([[0, 0, 48, 32], [48, 0, 96, 32], [0, 32, 48, 64], [48, 32, 96, 64]])
    mosaic = Mosaic(tiles, np.ones(4), np.zeros((4, 2)))
    across = Objects.of([0], [[38, 4, 58, 14]], truncation=[0.5])
    edge = Objects.of([1, EVERY_CATEGORY], [[47, 40, 57, 50], [0, 0, 96, 64]], ignore=[False, True])
    found = mosaic.objects([across, Objects.none(), edge, Objects.of([2], [[50, 2, 60, 12]])], 0.3)
    assert found.box_xyxy_px.tolist() == [[38, 4, 48, 14], [47, 40, 48, 50], [0, 32, 48, 64]]
    assert found.category.tolist() == [0, 1, EVERY_CATEGORY], "the last lies outside its tile"
    assert np.allclose(found.truncation, [0.75, 0.9, 0.75])
    assert found.ignore.tolist() == [True, True, True]
    assert mosaic.objects([across] + [Objects.none()] * 3, 0.2).ignore.tolist() == [False]


def test_samples_are_mosaics_as_often_as_asked_and_name_their_frames(tmp_path):
    data = shapes_data(tmp_path, frames=5)
    cache = ImageCache(tmp_path, len(data), DETECTOR, 1.0)
    cache.create()
    for share, low, high in ((0.0, 0, 0), (0.5, 20, 40), (1.0, 60, 60)):
        config = TrainConfig(augment=AugmentConfig(mosaic=share))
        ids = [Samples(data, cache, DETECTOR, config)[p][3] for p in range(60)]
        made = [frame_id.split(" + ") for frame_id in ids if " + " in frame_id]
        assert low <= len(made) <= high and all(len(frames) == 4 for frames in made)
    plain, mosaics = (
        Samples(data, cache, DETECTOR, TrainConfig(augment=AugmentConfig(mosaic=share))) for share in (0.0, 1.0)
    )
    first = [sample[3] for sample in map(plain.__getitem__, range(5))]
    assert [mosaics[p][3].split(" + ")[0] for p in range(5)] == first, "each frame still has its turn"
