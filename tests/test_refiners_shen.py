"""The variant of Shen et al.: whose features its refiner learns to copy, and that it fits like SimGAN."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.models import Inception3

from dataset.errors import InputError
from models.detector import checkpoint
from models.detector.build import build
from models.detector.config import DetectorConfig
from models.detector.network import normalise
from models.refiners.build import load_refiner
from models.refiners.crops import CropConfig
from models.refiners.patch_networks import PatchRefiner
from models.refiners.perceptual import Perceptual, perceptual
from models.refiners.pictures import Pictures
from models.refiners.shen import ShenConfig, ShenRefiner
from models.refiners.simgan import SimganConfig, SimganRefiner

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = ShenConfig(
    crops=CropConfig(width_px=32, height_px=16, batch=2),
    channels=8,
    blocks=1,
    discriminator_width=0.1,
    imitation_steps=3,
    telling_steps=1,
    steps=2,
    refiner_rate=1e-3,
    discriminator_rate=1e-3,
    l1=0.39,
    choose_every=1,
)


@pytest.fixture(scope="module")
def detector(tmp_path_factory) -> Path:
    """A checkpoint of an untrained detector."""
    path = tmp_path_factory.mktemp("detector") / "best.pt"
    config = DetectorConfig(input_width_px=64, input_height_px=64)
    weights = build(config, 1).state_dict()
    checkpoint.save(path, {"detector": config.model_dump(), "categories": ["car"], "weights": weights})
    return path


@pytest.fixture(scope="module")
def inception(tmp_path_factory) -> tuple[Path, Inception3]:
    """torchvision's Inception v3 with random weights, and the file of its state dict."""
    torch.manual_seed(0)
    network = Inception3(init_weights=False).eval()
    path = tmp_path_factory.mktemp("inception") / "inception_v3.pth"
    torch.save(network.state_dict(), path)
    return path, network


def folder(path: Path, level: int) -> Pictures:
    path.mkdir(parents=True)
    for i in range(3):
        Image.fromarray(np.full((30, 50, 3), level + i, np.uint8)).save(path / f"{i}.png")  # constant pictures
    return Pictures.of_folder(path)


def test_features_are_those_of_inception_v3(inception):
    path, network = inception
    found = {}
    for name in ("Conv2d_2b_3x3", "Conv2d_4a_3x3", "Mixed_5d"):
        getattr(network, name).register_forward_hook(lambda *a, name=name: found.__setitem__(name, a[-1]))
    rgb = torch.rand(1, 3, 96, 80) * 2 - 1  # torchvision trained it on -1 to 1
    loss = perceptual(path, None)
    with torch.no_grad():
        network(rgb)
        ours = loss.features(rgb)
    for mine, theirs in zip(ours, found.values(), strict=True):
        torch.testing.assert_close(mine, theirs)
    assert loss.name == f"inception:{checkpoint.digest(path)[:8]}"  # type: ignore[index]


def test_inception_weights_are_preferred_to_a_detector(inception, detector):
    assert perceptual(inception[0], detector).name.startswith("inception:")


def test_offline_the_features_are_the_detectors_and_named_so(detector):
    loss = perceptual(None, detector)
    assert loss.name == f"detector:{checkpoint.digest(detector)[:8]}"  # type: ignore[index]
    trunk = checkpoint.model_of(checkpoint.load(detector), detector).trunk.eval()
    rgb = torch.rand(2, 3, 32, 48) * 2 - 1
    with torch.no_grad():
        x = trunk.relu(trunk.bn1(trunk.conv1(normalise((rgb + 1) / 2))))  # type: ignore[operator]
        deepest = trunk.layer2(trunk.layer1(trunk.maxpool(x)))  # type: ignore[operator]
        first, *_, last = loss.features(rgb)
    torch.testing.assert_close(first, x)
    torch.testing.assert_close(last, deepest)


def test_the_perceptual_network_lies_where_refiners_train(inception, detector, monkeypatch):
    monkeypatch.setattr("models.refiners.perceptual.training_device", lambda: torch.device("meta"))  # as a GPU would be
    for loss in (perceptual(inception[0], None), perceptual(None, detector)):
        assert {value.device.type for value in loss.state_dict().values()} == {"meta"}


def test_without_a_trained_network_the_error_names_both_ways(tmp_path):
    with pytest.raises(InputError, match=r"--weights PATH.*--detector PATH"):
        perceptual(None, None)
    grey = folder(tmp_path / "grey", 100)
    with pytest.raises(InputError, match="--weights PATH"):
        ShenRefiner.fit(grey, grey, tmp_path / "out", TINY, seed=0, progress=False)


def test_weights_of_another_network_are_refused_by_their_keys(tmp_path):
    torch.save(nn.Conv2d(3, 4, 3).state_dict(), tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"missing \(.*Conv2d_1a_3x3.*unexpected \(bias, weight\)"):
        perceptual(tmp_path / "other.pth", None)


def test_the_perceptual_loss_is_zero_only_for_the_same_picture_and_its_network_stays_as_it_is(detector):
    loss = perceptual(None, detector)
    rgb = (torch.rand(2, 3, 32, 32) * 2 - 1).requires_grad_()
    assert loss(rgb, rgb).item() == 0
    far = loss(rgb, -rgb.detach())
    far.backward()
    assert far.item() > loss(rgb * 0.9, rgb).item() > 0
    assert rgb.grad is not None and all(p.grad is None for p in loss.parameters())


def test_the_perceptual_loss_changes_neither_with_batch_nor_resolution_nor_scale_of_features():
    def made_of(weight: float) -> Perceptual:
        conv = nn.Conv2d(3, 4, 1, bias=False)
        nn.init.constant_(conv.weight, weight)
        return Perceptual("test", [conv, nn.ReLU()], lambda rgb: rgb)

    a, b = torch.rand(2, 3, 6, 8), torch.rand(2, 3, 6, 8)
    loss = made_of(1.0)
    for grown in ((3, 1, 1, 1), (1, 1, 2, 4)):
        torch.testing.assert_close(loss(a.repeat(grown), b.repeat(grown)), loss(a, b))
    torch.testing.assert_close(made_of(50.0)(a, b), loss(a, b))


def test_black_pictures_have_a_finite_loss():
    loss = Perceptual("test", [nn.ReLU()], lambda rgb: rgb)
    assert loss(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)).item() == 0


def test_the_variant_fits_constant_pictures_and_tells_whose_features_it_copied(detector, tmp_path):
    source, target = folder(tmp_path / "source", 60), folder(tmp_path / "target", 180)
    refiner = ShenRefiner.fit(source, target, tmp_path / "out", TINY, seed=0, detector=detector, progress=False)
    assert refiner.provenance["imitation"] == f"detector:{checkpoint.digest(detector)[:8]}"  # type: ignore[index]
    loaded = load_refiner(tmp_path / "out" / "refiner.pt")
    assert isinstance(loaded, ShenRefiner) and loaded.digest == refiner.digest
    assert loaded.net.stem.kernel == 4
    rgb = np.random.default_rng(0).integers(0, 256, (1, 19, 40, 3), dtype=np.uint8)
    assert np.array_equal(loaded.refine(rgb), refiner.refine(rgb))
    with pytest.raises(InputError, match="it holds the refiner shen, simgan expected"):
        SimganRefiner.load(tmp_path / "out" / "refiner.pt")


def test_learning_to_copy_brings_a_picture_closer(detector):
    torch.manual_seed(0)
    loss, net = perceptual(None, detector), PatchRefiner(8, 1, 4)
    rgb = torch.rand(1, 3, 24, 24) * 2 - 1
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    values = []
    for _ in range(25):
        value = loss(net(rgb), rgb)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.6 * values[0]


def test_the_paper_preset_is_the_papers():
    paper = ShenConfig.preset("paper")
    assert (paper.crops.width_px, paper.crops.height_px) == (160, 80)
    assert (paper.channels, paper.blocks, paper.output) == (64, 5, "tanh")
    assert (paper.imitation_steps, paper.telling_steps, paper.refiner_updates) == (1200, 400, 2)
    assert (paper.refiner_rate, paper.discriminator_rate) == (1e-4, 1e-3)
    # beta / alpha on sums of 0 to 255 at 160x80, told as a mean over -1 to 1
    assert paper.l1 == pytest.approx(4e-6 / 50 * 160 * 80 * 3 * 127.5, rel=0.01)
    assert SimganConfig.preset("paper").blocks == 4
