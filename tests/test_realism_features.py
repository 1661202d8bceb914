"""Features of images, the view they are seen through, and the network that tells domains apart."""

from dataclasses import replace
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import Inception3

from dataset.errors import InputError
from evaluation.realism.domain_classifier import auc, two_sided_folds
from models import hand_features
from models.detector import checkpoint
from models.detector.build import build
from models.detector.config import DetectorConfig
from models.detector.network import normalise
from models.domain_classifier import PixelClassifierConfig, pixel_scores
from models.features import Hand, Trunk, extractor, features_of
from models.views import View


class Made:
    """Images in memory."""

    def __init__(self, images: list[np.ndarray]):
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def rgb(self, i: int) -> np.ndarray:
        return self.images[i]


def noise(seed: int, height: int = 48, width: int = 96, size: int = 1) -> np.ndarray:
    """(height, width, 3) uint8 squares of `size` px in random colours."""
    squares = np.random.default_rng(seed).integers(0, 256, (height // size, width // size, 3), np.uint8)
    return squares.repeat(size, 0).repeat(size, 1)


def test_a_view_keeps_the_central_part_of_its_own_shape():
    image = np.zeros((100, 400, 3), np.uint8)
    image[:, 100:300] = 255  # the central 2:1
    assert View(64, 32).of(image).min() > 200
    assert View(100, 400).of(np.full((400, 100, 3), 7, np.uint8)).shape == (400, 100, 3)


def test_a_view_of_an_image_of_its_own_size_is_that_image():
    image = noise(0)
    np.testing.assert_array_equal(View(96, 48).of(image), image)


def test_a_view_is_anti_aliased():
    """A fine chequerboard becomes grey; picking every fourth pixel would leave black or white."""
    board = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, 2)
    assert abs(View(64, 64).of(board).astype(int)[4:-4, 4:-4] - 127).max() < 10


def test_a_view_can_pass_all_images_through_one_file_format():
    image = noise(1, size=4)
    file = BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=60)
    np.testing.assert_array_equal(View(96, 48, jpeg_quality=60).of(image), np.asarray(Image.open(file)))


def test_hand_features_are_those_stated_for_any_image():
    names = {"noise": noise(2), "flat": np.full((48, 96, 3), 90, np.uint8), "black": np.zeros((48, 96, 3), np.uint8)}
    for name, image in names.items():
        found = hand_features.hand_features(image)
        assert found.shape == (hand_features.DIMS,), name
        assert np.isfinite(found).all(), name
        shares = found[:16] ** 2, found[16:32] ** 2, found[32:48] ** 2
        assert [part.sum() for part in shares] == pytest.approx([1, 1, 1]), name


def test_hand_features_know_noise_sharpness_and_colour():
    def part(image: np.ndarray, where: slice) -> np.ndarray:
        return hand_features.hand_features(image)[where]

    edges = np.cumsum([0, 48, 12, 8, 9, 12])
    colours, _, directions, spectrum, residual = (slice(a, b) for a, b in pairwise(edges))
    smooth = noise(3, 64, 128, 16)
    rng = np.random.default_rng(0)
    noisy = np.clip(smooth + rng.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8)
    assert part(noisy, residual)[0] > part(smooth, residual)[0] + 0.1
    assert part(smooth, spectrum)[-1] < -2  # edges alone fall so; noise has all frequencies alike
    assert part(noise(3, 64, 128), spectrum)[-1] == pytest.approx(0, abs=0.3)
    stripes = np.zeros((64, 128, 3), np.uint8)
    stripes[:, ::8] = 255  # edges run down, so lightness changes across
    assert part(stripes, directions)[[0, -1]].max() > 0.9
    red = np.full((64, 128, 3), (200, 30, 30), np.uint8)
    assert np.abs(part(red, colours) - part(red[..., ::-1].copy(), colours)).max() > 0.9


def test_features_keep_the_order_of_images_and_do_not_depend_on_batches():
    images = [noise(seed, size=3) for seed in range(35)]  # more than two batches
    found = features_of(Made(images), Hand(), View(64, 32), progress=False)
    one = features_of(Made(images[20:21]), Hand(), View(64, 32), progress=False)
    np.testing.assert_array_equal(found[20], one[0])
    assert len(np.unique(found, axis=0)) == 35


@pytest.fixture(scope="module", params=["grid", "retinanet"])
def detector_file(request, tmp_path_factory):
    config = DetectorConfig(architecture=request.param, input_width_px=64, input_height_px=64)
    torch.manual_seed(0)
    model = build(config, 1)
    path = tmp_path_factory.mktemp("detector") / "last.pt"
    content = {"detector": config.model_dump(), "categories": ["car"], "weights": model.state_dict()}
    checkpoint.save(path, content)
    return path, model


@pytest.mark.usefixtures("one_thread")
def test_a_detectors_features_are_the_means_of_its_last_two_stages_under_its_digest(detector_file):
    path, model = detector_file
    extract = Trunk(path, "cpu")
    assert extract.name == f"detector:{str(checkpoint.digest(path))[:8]}"
    seen = {}
    trunk = model.eval().trunk
    for name in ("layer3", "layer4"):
        getattr(trunk, name).register_forward_hook(lambda _, __, out, name=name: seen.update({name: out}))
    image = noise(4, 64, 64, 8)
    with torch.inference_mode():
        trunk(normalise(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255))
    expected = torch.cat([seen["layer3"].mean((2, 3)), seen["layer4"].mean((2, 3))], 1).numpy()
    found = extract(image[None])
    assert found.shape == (1, extract.dims) == (1, 256 + 512)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("one_thread")
def test_inception_features_come_from_torchvisions_state_dict_with_or_without_the_auxiliary_head(tmp_path):
    torch.manual_seed(0)
    network = Inception3(aux_logits=False, init_weights=False).eval()
    torch.save(network.state_dict(), tmp_path / "inception.pth")
    extract = extractor("auto", weights=tmp_path / "inception.pth", device="cpu")
    image = noise(5, 299, 299, 13)
    network.fc = torch.nn.Identity()  # type: ignore[assignment]
    with torch.inference_mode():
        expected = network(torch.from_numpy(image).permute(2, 0, 1)[None].float() / 127.5 - 1).numpy()
    assert extract.name == "inception"
    assert extract.has_scale
    np.testing.assert_allclose(extract(image[None]), expected, rtol=1e-4, atol=1e-6)
    torch.save({"fc.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"the weights do not fit the network: .* missing"):
        extractor("inception", weights=tmp_path / "other.pth")


def test_features_that_cannot_be_had_are_refused_by_name():
    assert extractor("auto").name == "hand"
    for choice, said in (
        ("inception", "without its weights"),
        ("detector", "without a checkpoint"),
        ("vgg", "not known"),
    ):
        with pytest.raises(InputError, match=said):
            extractor(choice)


SMALL = PixelClassifierConfig(steps=40, batch=16, crop_px=32, test_crops=2, learning_rate=3e-3)


def judged(real: list[np.ndarray], other: list[np.ndarray], config: PixelClassifierConfig, seed: int = 0):
    groups = np.repeat(np.arange(len(real) // 4), 4).astype(str)
    ours, theirs = two_sided_folds(groups, groups, 2, seed=0)
    return pixel_scores(Made(real), Made(other), ours, theirs, View(64, 48), config, seed=seed, progress=False)


@pytest.mark.usefixtures("one_thread")
def test_a_pixel_classifier_finds_an_artefact_on_unseen_scenes():
    """The other side is the same kind of image with a faint grid, as transposed convolutions leave it."""
    real = [noise(seed, 48, 64, 16) // 2 for seed in range(24)]
    other = [noise(seed, 48, 64, 16) // 2 for seed in range(100, 124)]
    for image in other:
        image[::2, ::2] += 16
    ours, theirs = judged(real, other, SMALL)
    assert auc(ours, theirs) > 0.95


@pytest.mark.usefixtures("one_thread")
def test_a_pixel_classifiers_scores_follow_from_the_seed_alone():
    images = [noise(seed, 48, 64, 4) for seed in range(8)]
    config = replace(SMALL, steps=3)
    first = judged(images, images[::-1], config)
    torch.rand(3)  # torch's own generator has no say
    np.testing.assert_array_equal(first[0], judged(images, images[::-1], config)[0])
    assert (first[0] != judged(images, images[::-1], config, seed=1)[0]).any()


def test_more_images_than_memory_is_meant_for_and_crops_larger_than_the_view_are_refused():
    images = [noise(0, 48, 64)] * 8
    with pytest.raises(InputError, match="8 images, at most 4"):
        judged(images, images, replace(SMALL, max_images=4))
    with pytest.raises(InputError, match="crops of 64 px from views of 64x48 px"):
        judged(images, images, replace(SMALL, crop_px=64))
