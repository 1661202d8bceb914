"""LPIPS against the paper's formula written out, with weights that the test makes."""

import numpy as np
import pytest
import torch
from torchvision.models import AlexNet

from dataset.errors import InputError
from models.lpips import Lpips


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lpips")
    torch.manual_seed(0)
    alexnet = AlexNet()
    state = {name: value for name, value in alexnet.state_dict().items() if name.startswith("features.")}
    torch.save(state, folder / "alexnet.pth")
    widths = (64, 192, 384, 256, 256)
    torch.save({f"lin{i}.model.1.weight": torch.rand(1, n, 1, 1) for i, n in enumerate(widths)}, folder / "alex.pth")
    return folder / "alexnet.pth", folder / "alex.pth", alexnet.features.eval()


@pytest.mark.usefixtures("one_thread")
def test_lpips_is_the_papers_formula(files):
    backbone, linear, layers = files
    rng = np.random.default_rng(0)
    source, refined = rng.integers(0, 256, (2, 2, 64, 72, 3), np.uint8)
    found = Lpips(backbone, linear, "cpu")(source, refined)
    weights = torch.load(linear, weights_only=True)
    for i in range(2):
        total, maps = 0.0, []
        for image in (source[i], refined[i]):
            x = torch.from_numpy(image).double().permute(2, 0, 1) / 255 * 2 - 1
            x = torch.stack(
                [(x[c] - s) / k for c, (s, k) in enumerate([(-0.03, 0.458), (-0.088, 0.448), (-0.188, 0.45)])]
            )
            kept, x = [], x[None].float()
            for layer in layers:
                x = layer(x)
                if isinstance(layer, torch.nn.ReLU):
                    kept.append(x[0].detach().clone().double().numpy())
            maps.append(kept)
        for layer, (a, b) in enumerate(zip(*maps, strict=True)):
            w = weights[f"lin{layer}.model.1.weight"].double().numpy().ravel()
            unit = [m / np.sqrt((m**2).sum(0)) for m in (a, b)]
            total += (w[:, None, None] * (unit[0] - unit[1]) ** 2).sum(0).mean()
        assert found[i] == pytest.approx(total, rel=1e-4)


@pytest.mark.usefixtures("one_thread")
def test_lpips_of_an_image_with_itself_is_0_and_grows_with_noise(files):
    metric = Lpips(files[0], files[1], "cpu")
    rng = np.random.default_rng(1)
    image = rng.integers(50, 200, (1, 8, 8, 3), np.uint8).repeat(8, 1).repeat(8, 2)
    noise = rng.normal(size=image.shape)
    said = [metric(image, np.clip(image + k * noise, 0, 255).astype(np.uint8))[0] for k in (0, 5, 30)]
    assert said[0] == 0
    assert said[0] < said[1] < said[2]


@pytest.mark.usefixtures("one_thread")
def test_weights_of_another_layout_and_images_of_other_sizes_are_refused(files, tmp_path):
    backbone, linear, _ = files
    torch.save({"lin0.weight": torch.zeros(1, 64, 1, 1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"it holds \['lin0.weight'\]"):
        Lpips(backbone, tmp_path / "other.pth", "cpu")
    with pytest.raises(InputError, match="do not fit the network"):
        Lpips(linear, linear, "cpu")
    image = np.zeros((1, 64, 64, 3), np.uint8)
    with pytest.raises(InputError, match="of one size, at least 63 px"):
        Lpips(backbone, linear, "cpu")(image, image[:, :40])
