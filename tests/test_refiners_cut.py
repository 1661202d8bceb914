"""CUT: its generator, PatchNCE, and a training on pictures of different sizes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from dataset.errors import InputError
from models.refiners.build import load_refiner, method_config
from models.refiners.config import RefinerConfig
from models.refiners.crops import CropConfig
from models.refiners.cut import CutConfig, CutLesson, CutRefiner
from models.refiners.nce import Projector, draw_places, nce_loss
from models.refiners.painting import overview, painted
from models.refiners.patch_gan import PatchGan
from models.refiners.picture_norm import statistics_of
from models.refiners.pictures import Pictures
from models.refiners.resnet_generator import Double, Halve, ResnetGenerator
from models.refiners.tiling import reach_px, tiled
from models.refiners.training import run_lesson, seeded
from tests.test_refiners_pix2pix import lively

pytestmark = pytest.mark.usefixtures("one_thread")


def pictures(folder: Path, size: tuple[int, int], tint: tuple[int, int, int] = (0, 0, 0), count: int = 3) -> Pictures:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for i in range(count):
        smooth = np.kron(rng.integers(0, 150, (4, 6, 3)), np.ones((size[0] // 4, size[1] // 6, 1)))
        Image.fromarray((smooth + tint).astype(np.uint8)).save(folder / f"{i}.png")
    return Pictures.of_folder(folder)


def tiny(**changes) -> CutConfig:
    crops = CropConfig(width_px=24, height_px=24, batch=2, scale_range=(0.6, 1.0))
    fields = {"crops": crops, "width": 4, "discriminator_width": 4, "blocks": 2, "patches": 12, "steps": 6}
    return CutConfig(**fields | changes)


def on_sphere(*shape: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


# PatchNCE


def test_nce_is_lowest_where_each_patch_has_its_sources_features():
    source = on_sphere(2, 16, 8)
    same = nce_loss(source, source).mean()
    shuffled = nce_loss(source.roll(1, 1), source).mean()
    other = nce_loss(on_sphere(2, 16, 8, seed=1), source).mean()
    assert same < min(other, shuffled)
    nudged = F.normalize(source + 0.3 * on_sphere(2, 16, 8, seed=2), dim=-1)
    assert same < nce_loss(nudged, source).mean() < other


def test_nce_of_features_that_say_nothing_is_the_log_of_the_patches():
    flat = F.normalize(torch.ones(1, 16, 8), dim=-1)
    torch.testing.assert_close(nce_loss(flat, flat), torch.full((1,), float(np.log(16))))


def test_nce_moves_the_painting_and_not_its_source():
    painted_features, source = on_sphere(1, 8, 4).requires_grad_(), on_sphere(1, 8, 4, seed=1).requires_grad_()
    nce_loss(painted_features, source).sum().backward()
    assert painted_features.grad is not None
    assert source.grad is None


def test_nce_of_a_picture_does_not_depend_on_its_batch():
    painted_features, source = on_sphere(3, 8, 4), on_sphere(3, 8, 4, seed=1)
    torch.testing.assert_close(nce_loss(painted_features, source)[1:2], nce_loss(painted_features[1:2], source[1:2]))


def test_patches_are_drawn_once_each_and_at_most_as_many_as_there_are():
    maps = [torch.zeros(1, 2, 4, 5), torch.zeros(1, 2, 30, 30)]
    few, many = draw_places(maps, 64)
    assert sorted(few.tolist()) == list(range(20))
    assert len({*many.tolist()}) == 64


def test_the_projector_reads_the_same_places_of_all_pictures():
    with seeded(0):
        project = Projector((3, 5), size=7)
        maps = [torch.randn(2, 3, 4, 6), torch.randn(2, 5, 2, 3)]
    places = [torch.tensor([0, 9, 23]), torch.tensor([5])]
    first, second = project(maps, places)
    assert first.shape == (2, 3, 7)
    assert second.shape == (2, 1, 7)
    own = F.normalize(project.layers[0](maps[0][1, :, 1, 3]), dim=0)  # place 9 of a map 6 wide
    torch.testing.assert_close(first[1, 1], own)


# Generator


def test_the_papers_generator_has_its_size_and_five_maps():
    net = ResnetGenerator()
    with torch.no_grad():
        maps = net.features(torch.zeros(1, 3, 64, 96))
    assert sum(w.numel() for w in net.parameters()) == pytest.approx(11.378e6, rel=1e-3)
    assert [tuple(m.shape[1:]) for m in maps] == [
        (3, 64, 96),
        (128, 64, 96),
        (256, 32, 48),
        (256, 16, 24),
        (256, 16, 24),
    ]
    assert net.widths == tuple(m.shape[1] for m in maps)
    assert len(list(net.encoder[3].children())) == 4  # the fifth block is the last whose map is compared


def test_halving_leaves_nothing_of_stripes_too_fine_for_it():
    stripes = torch.tensor([0.0, 1.0]).repeat(8).expand(1, 2, 16, 16)
    torch.testing.assert_close(Halve(2)(stripes)[..., 1:-1], torch.full((1, 2, 8, 6), 0.5))


def test_halving_and_doubling_keep_what_is_even():
    even = torch.full((1, 3, 8, 12), 0.7)
    torch.testing.assert_close(Halve(3)(even), even[..., :4, :6])
    torch.testing.assert_close(Double()(even[..., :4, :6]), even)


def test_a_bounded_generator_starts_as_a_copy_and_never_changes_a_pixel_by_more():
    net = ResnetGenerator(4, 2, largest_change=0.3)
    with seeded(8), torch.no_grad():
        x = torch.rand(1, 3, 24, 32) * 2 - 1
        assert torch.equal(net(x), x)
        for value in lively(net).parameters():
            value.mul_(50)
        change = (net(x) - x).abs()
    assert 0.29 < change.max() <= 0.3 + 1e-6 and net(x).abs().max() <= 1


def test_a_generator_looks_no_farther_than_its_halo():
    net = lively(ResnetGenerator(4, 3))
    with seeded(5), statistics_of(net, torch.randn(1, 3, 160, 160)):
        assert reach_px(net, 3, 160, net.multiple_px) == net.halo_px - 3


@pytest.mark.parametrize(("height", "width"), [(160, 200), (99, 131)])
def test_a_tiled_painting_is_the_whole_one(height, width):
    net = lively(ResnetGenerator(4, 2))
    with seeded(6), torch.no_grad():
        x = torch.randn(1, 3, height, width)
        tiles = painted(net, x, whole_px=3000, tile_px=48)
        with statistics_of(net, overview(x, 3000, net.multiple_px)):
            padded = F.pad(x, (0, -width % 4, 0, -height % 4), mode="reflect")
            whole = net(padded)[..., :height, :width]
    assert whole.std() > 0.2
    assert (tiles - whole).abs().max() <= 2 / 255  # of a range of 2: one step of 255


def test_statistics_of_a_smaller_view_bring_tiles_near_the_painting_of_the_whole():
    """Near, not equal: the view's statistics are not the whole's."""
    net = lively(ResnetGenerator(4, 2))
    with seeded(7), torch.no_grad():
        x = F.interpolate(torch.randn(1, 3, 10, 16), size=(160, 256), mode="bicubic").clamp(-1, 1)
        x[..., 128:] *= 0.3  # a dark half, whose own statistics would make it as bright as the other
        whole = net(x)
        off, alone = (
            (made - whole).abs().mean()
            for made in (painted(net, x, whole_px=20_000, tile_px=64), tiled(net, x, 64, net.halo_px, net.multiple_px))
        )
    assert 2 / 255 < off < alone / 2  # of a range of 2, so more than one step of 255


# Training


def lesson_of(source: Pictures, target: Pictures, config: CutConfig) -> CutLesson:
    with seeded(0):
        generator = ResnetGenerator(config.width, config.blocks)
        discriminator, projector = PatchGan(3, 4, 2, affine=False), Projector(generator.widths, 16)
    return CutLesson(config, generator, discriminator, projector, source, target, seed=0)


def test_an_interrupted_training_ends_bit_equal(tmp_path):
    source, target = pictures(tmp_path / "s", (32, 48)), pictures(tmp_path / "t", (40, 48), (100, 0, 0))

    def stop(step: int, _: dict[str, float]) -> None:
        if step == 3:
            raise KeyboardInterrupt

    whole, first, second = (lesson_of(source, target, tiny()) for _ in range(3))
    run_lesson(whole, tmp_path / "whole", 6, 0, identity={}, save_every=2, log_every=1, progress=False)
    cut = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        run_lesson(first, cut, 6, 0, identity={}, save_every=2, log_every=1, on_log=stop, progress=False)
    run_lesson(second, cut, 6, 0, identity={}, save_every=2, log_every=1, progress=False)
    for name, net in whole.nets.items():
        for key, value in net.state_dict().items():
            assert torch.equal(value, second.nets[name].state_dict()[key]), f"{name}.{key}"
    assert (tmp_path / "whole" / "curves.csv").read_bytes() == (cut / "curves.csv").read_bytes()


def test_a_step_teaches_all_three_networks(tmp_path):
    source = pictures(tmp_path / "s", (32, 48))
    lesson = lesson_of(source, source, tiny())
    before = {name: [w.detach().clone() for w in net.parameters()] for name, net in lesson.nets.items()}
    with seeded(0):
        values = lesson.step(0)
    assert {"telling", "fooling", "nce", "identity"} == values.keys()
    for name, net in lesson.nets.items():
        assert all(not torch.equal(w, old) for w, old in zip(net.parameters(), before[name], strict=True)), name


def test_pictures_take_the_targets_tint(tmp_path):
    source, target = pictures(tmp_path / "s", (32, 48)), pictures(tmp_path / "t", (40, 60), (100, 20, 20))
    config = tiny(steps=60, rate=4e-3, nce=0.1)
    refiner = CutRefiner.fit(source, target, tmp_path / "fit", config, seed=0, progress=False)
    rgb = np.stack([source.rgb(i) for i in range(3)])
    made = refiner.refine(rgb)
    assert made.shape == rgb.shape

    def redness(values: np.ndarray) -> float:
        return float(values[..., 0].mean() - values[..., 1:].mean())

    wanted = redness(np.stack([target.rgb(i) for i in range(3)]))
    assert abs(redness(made) - wanted) < 0.6 * abs(redness(rgb) - wanted)
    again = load_refiner(tmp_path / "fit" / "refiner.pt")
    assert again.digest == refiner.digest
    assert np.array_equal(again.refine(rgb[1:2]), made[1:2])  # nor does it matter what else is in the batch


def test_constant_pictures_and_fewer_than_a_batch_train_without_a_nan(tmp_path):
    for name, value in (("s", 90), ("t", 200)):
        (tmp_path / name).mkdir()
        Image.new("L", (40, 30), value).save(tmp_path / name / "0.png")
    source, target = (Pictures.of_folder(tmp_path / name) for name in ("s", "t"))
    refiner = CutRefiner.fit(source, target, tmp_path / "fit", tiny(steps=3), seed=0, progress=False)
    assert refiner.refine(source.rgb(0)[None]).shape == (1, 30, 40, 3)


def test_weights_of_another_layout_are_told(tmp_path):
    source = pictures(tmp_path / "s", (32, 48))
    CutRefiner.fit(source, source, tmp_path / "fit", tiny(steps=1), seed=0, progress=False)
    state = torch.load(tmp_path / "fit" / "refiner.pt", weights_only=True)
    state["config"]["blocks"] = 3
    torch.save(state, tmp_path / "other.pt")
    with pytest.raises(InputError, match=r"missing .*encoder.3.0"):
        load_refiner(tmp_path / "other.pt")


def test_crops_without_a_patch_to_judge_are_told():
    PatchGan(3, 4)(torch.zeros(1, 3, 24, 24))
    with pytest.raises(RuntimeError):
        PatchGan(3, 4)(torch.zeros(1, 3, 24, 20))
    with pytest.raises(InputError, match=r"crops.height_px: 20 is below 24, .* Use 24 or more."):
        tiny(crops=CropConfig(width_px=24, height_px=20))


def test_settings_change_a_preset_and_unknown_ones_are_told():
    config = method_config(RefinerConfig(kind="cut", steps=7, settings={"blocks": 3}))
    assert (config.steps, config.blocks) == (7, 3)  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="blockz"):
        method_config(RefinerConfig(kind="cut", settings={"blockz": 3}))
