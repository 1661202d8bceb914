import numpy as np
import pytest
import torch

from dataset.schema import Objects
from models.detector.augment import Augmentation, apply
from models.detector.config import AugmentConfig
from models.detector.network import normalise

WIDTH_PX, HEIGHT_PX = 96, 64


def changed_image(image: np.ndarray, augmentation: Augmentation) -> np.ndarray:
    """(H, W, 3) uint8 -> (H, W, 3) float 0-1 as the network sees it, before normalisation."""
    matrix = np.hstack([np.diag(augmentation.source_scale), augmentation.source_shift[:, None]])
    out = apply(
        torch.from_numpy(image[None]),
        torch.from_numpy(matrix[None]).float(),
        torch.from_numpy(augmentation.colour[None]).float(),
    )
    black, white = (normalise(torch.full((1, 3, 1, 1), value)) for value in (0.0, 1.0))
    return ((out - black) / (white - black))[0].permute(1, 2, 0).numpy()


def geometry_only() -> AugmentConfig:
    return AugmentConfig(brightness=0, contrast=0, saturation=0, hue_deg=0)


def test_no_augmentation_changes_nothing():
    image = np.random.default_rng(0).integers(0, 255, (HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    assert np.allclose(changed_image(image, Augmentation.none()), image / 255, atol=1e-5)


@pytest.mark.parametrize("seed", range(12))
def test_boxes_follow_the_image(seed):
    """A white rectangle on black, changed with its box: the box still holds the white pixels and no others."""
    image = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    image[20:40, 30:70] = 255
    augmentation = Augmentation.draw(geometry_only(), np.random.default_rng(seed))
    moved = augmentation.objects(Objects.of([0], [[30, 20, 70, 40]]), WIDTH_PX, HEIGHT_PX, 0.0)
    matrix = np.hstack([np.diag(augmentation.source_scale), augmentation.source_shift[:, None]])
    out = apply(torch.from_numpy(image[None]), torch.from_numpy(matrix[None]).float(), torch.eye(3, 4)[None])
    rows, columns = np.nonzero(out[0, 0].numpy() > normalise(torch.full((1, 3, 1, 1), 0.5))[0, 0].item())
    seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert np.abs(moved.box_xyxy_px[0] - seen).max() <= 1.0


def test_mirroring_mirrors_boxes():
    mirror = Augmentation(np.array([-1.0, 1.0]), np.zeros(2), np.eye(3, 4))
    moved = mirror.objects(Objects.of([0], [[10, 5, 30, 25]]), WIDTH_PX, HEIGHT_PX, 0.25)
    assert np.allclose(moved.box_xyxy_px, [[66, 5, 86, 25]])


def test_a_crop_adds_to_the_truncation_and_hides_what_is_hardly_left():
    left_half_gone = Augmentation(np.ones(2), np.array([1.0, 0.0]), np.eye(3, 4))  # the source's right half is shown
    objects = Objects.of([0, 0, 0], [[38, 0, 58, 20], [0, 0, 20, 20], [30, 0, 50, 20]], truncation=[0.2, 0, np.nan])
    moved = left_half_gone.objects(objects, WIDTH_PX, HEIGHT_PX, 0.25)
    assert np.allclose(moved.box_xyxy_px, [[0, 0, 10, 20], [0, 0, 2, 20]])
    assert np.allclose(moved.truncation, [0.6, 0.9])
    assert moved.ignore.tolist() == [False, True]


def test_colour_changes_keep_grey_grey():
    image = np.full((HEIGHT_PX, WIDTH_PX, 3), 128, np.uint8)
    config = AugmentConfig(hflip=0, zoom=0, stretch=0, shift=0)
    for seed in range(8):
        seen = changed_image(image, Augmentation.draw(config, np.random.default_rng(seed)))
        assert np.ptp(seen.reshape(-1, 3), axis=1).max() < 1e-3


def test_a_draw_follows_from_its_generator():
    one, other = (Augmentation.draw(AugmentConfig(), np.random.default_rng([3, 1])) for _ in range(2))
    assert all(np.array_equal(getattr(one, name), getattr(other, name)) for name in vars(one))
