"""SimGAN: its networks, the signs and scales of its losses, the order of its training and the choice of the step."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from models.refiners.build import load_refiner
from models.refiners.crops import CropConfig
from models.refiners.patch_lesson import PatchLesson, change, discriminator_loss, fooling_loss
from models.refiners.patch_networks import (
    SHEN_LAYERS,
    SIMGAN_LAYERS,
    PatchDiscriminator,
    PatchRefiner,
    ResidualBlock,
    SameConv2d,
)
from models.refiners.pictures import Pictures
from models.refiners.simgan import SimganConfig, SimganRefiner
from models.refiners.tiling import reach_px, tiled

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = SimganConfig(
    crops=CropConfig(width_px=16, height_px=16, batch=4),
    channels=8,
    blocks=1,
    discriminator_width=0.1,
    imitation_steps=2,
    telling_steps=2,
    steps=4,
    refiner_rate=3e-3,
    discriminator_rate=3e-3,
    l1=0.1,
    history=8,
    choose_every=2,
)


def pictures(folder: Path, level: int, size: tuple[int, int], count: int = 3) -> Pictures:
    """Noise around a level of grey."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(level)
    for i in range(count):
        noise = rng.normal(level, 8, (size[1], size[0], 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noise).save(folder / f"{i}.png")
    return Pictures.of_folder(folder)


@pytest.fixture
def source(tmp_path: Path) -> Pictures:
    return pictures(tmp_path / "source", 90, (40, 30))


@pytest.fixture
def target(tmp_path: Path) -> Pictures:
    return pictures(tmp_path / "target", 160, (24, 50), count=2)  # another size, and fewer than a batch


def lesson(source: Pictures, target: Pictures, config: SimganConfig = TINY, gate=None) -> PatchLesson:
    torch.manual_seed(0)
    refiner = SimganRefiner.network(config)
    discriminator = PatchDiscriminator(SIMGAN_LAYERS, config.discriminator_width)
    return PatchLesson(config, refiner, discriminator, source, target, seed=0, imitation=change, gate=gate)


# --- the losses


def test_a_discriminator_that_is_right_has_the_lower_loss():
    sure, ignorant = torch.full((2, 3, 4), 4.0), torch.zeros(2, 3, 4)
    right = discriminator_loss(on_refined=sure, on_real=-sure)
    assert right < discriminator_loss(ignorant, ignorant) < discriminator_loss(on_refined=-sure, on_real=sure)


def test_calling_everything_refined_is_worse_than_knowing_nothing():
    # Eq. 1 as Shen et al. print it would be lowest here.
    always, ignorant = torch.full((5,), 4.0), torch.zeros(5)
    assert discriminator_loss(always, always) > discriminator_loss(ignorant, ignorant)
    assert discriminator_loss(-always, -always) > discriminator_loss(ignorant, ignorant)


def test_the_refiner_gains_where_its_pictures_are_taken_for_real():
    assert fooling_loss(torch.tensor([-4.0])) < fooling_loss(torch.tensor([0.0])) < fooling_loss(torch.tensor([4.0]))
    assert fooling_loss(torch.tensor([0.0])).item() == pytest.approx(np.log(2))  # -log(1 - 1/2)


def test_losses_change_neither_with_batch_nor_with_resolution():
    logits_a, logits_b = torch.randn(2, 3, 5), torch.randn(2, 3, 5)
    made, rgb = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    for grown in ((3, 1, 1), (1, 2, 4)):  # more images, more patches
        larger = discriminator_loss(logits_a.repeat(grown), logits_b.repeat(grown))
        torch.testing.assert_close(larger, discriminator_loss(logits_a, logits_b))
        torch.testing.assert_close(fooling_loss(logits_a.repeat(grown)), fooling_loss(logits_a))
        pixels = (grown[0], 1, *grown[1:])
        torch.testing.assert_close(change(made.repeat(pixels), rgb.repeat(pixels)), change(made, rgb))


# --- the networks


@pytest.mark.parametrize("kernel", [3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("lean_left", [False, True])
def test_a_same_convolution_gives_the_size_divided_by_the_stride_rounded_up(kernel, stride, lean_left):
    for height, width in ((7, 12), (8, 9), (2, 3), (1, 1)):
        made = SameConv2d(2, 3, kernel, stride, lean_left)(torch.rand(1, 2, height, width))
        assert made.shape == (1, 3, -(-height // stride), -(-width // stride))


def seen_by_the_middle(net: nn.Module, channels: int, size: int = 41) -> tuple[int, int]:
    """How far the middle pixel of the output looks to the left and to the right, equally up and down."""
    x = torch.rand(1, channels, size, size, requires_grad=True)
    net(x)[0, :, size // 2, size // 2].sum().backward()
    assert x.grad is not None
    columns = x.grad.abs().sum((0, 1, 2)).nonzero().flatten()
    rows = x.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    assert torch.equal(columns, rows)
    return size // 2 - int(columns[0]), int(columns[-1]) - size // 2


def test_a_single_even_convolution_leans_as_asked():
    assert seen_by_the_middle(SameConv2d(1, 1, 4), 1) == (1, 2)
    assert seen_by_the_middle(SameConv2d(1, 1, 4, lean_left=True), 1) == (2, 1)


def test_a_block_of_two_even_convolutions_shifts_nothing():
    torch.manual_seed(0)
    block = ResidualBlock(4, kernel=4)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.abs_()  # so that no relu hides a part of what is seen
    assert seen_by_the_middle(block, 4) == (3, 3)
    x = torch.zeros(1, 4, 21, 21)
    x[..., 10, 10] = 1
    with torch.no_grad():
        for conv in (block.first.conv, block.second.conv):
            nn.init.constant_(conv.weight, 0.1)
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
        made = block(x)
    assert torch.equal(made, made.flip(-1)) and torch.equal(made, made.flip(-2))


@pytest.mark.parametrize("kernel", [3, 4])
def test_a_refiner_looks_as_far_as_its_halo_says(kernel):
    torch.manual_seed(0)
    net = PatchRefiner(channels=8, blocks=2, kernel=kernel)
    assert reach_px(net, 3, 64) == net.halo_px


def test_the_variant_has_the_size_that_its_paper_gives():
    # 64 maps, 5 blocks of 4x4: 0.66 million parameters.
    assert sum(p.numel() for p in PatchRefiner(64, 5, 4).parameters()) == pytest.approx(0.66e6, rel=0.01)


def test_discriminators_judge_local_patches():
    assert PatchDiscriminator(SHEN_LAYERS)(torch.zeros(2, 3, 80, 160)).shape == (2, 4, 7)
    assert PatchDiscriminator(SIMGAN_LAYERS)(torch.zeros(2, 3, 35, 55)).shape == (2, 9, 14)


def test_a_patch_far_away_does_not_change_a_verdict():
    torch.manual_seed(0)
    net, x = PatchDiscriminator(SIMGAN_LAYERS), torch.rand(1, 3, 64, 64)
    changed = x.clone()
    changed[..., 48:] = 1
    before, after = net(x), net(changed)
    assert torch.equal(before[..., :8], after[..., :8]) and not torch.equal(before, after)


@pytest.mark.parametrize("output", ["tanh", "residual"])
def test_refined_pictures_stay_within_the_range_of_pictures(output):
    torch.manual_seed(0)
    net = PatchRefiner(8, 1, 3, output)
    nn.init.normal_(net.to_rgb.weight, std=20)
    made = net(torch.rand(2, 3, 9, 11) * 2 - 1)
    assert made.shape == (2, 3, 9, 11) and made.abs().max() <= 1


def test_a_residual_refiner_cannot_repaint_a_pixel():
    torch.manual_seed(0)
    net = PatchRefiner(8, 1, 3, "residual", largest_change=0.2)
    nn.init.normal_(net.to_rgb.weight, std=20)
    x = torch.rand(2, 3, 9, 11) * 2 - 1
    assert 0.19 < change_of(net, x) <= 0.2 + 1e-6


def change_of(net: nn.Module, x: torch.Tensor) -> float:
    return (net(x) - x).abs().max().item()


def test_an_untrained_residual_refiner_changes_nothing():
    x = torch.rand(2, 3, 9, 11) * 2 - 1
    assert torch.equal(PatchRefiner(8, 1, 3, "residual")(x), x)


# --- the training


def test_the_refiner_copies_first_then_the_discriminator_learns_then_both_play_two_to_one(source, target):
    training, steps = lesson(source, target), {"refiner": 0, "discriminator": 0}
    for name, optimizer in training.optimizers.items():
        optimizer.register_step_post_hook(lambda *_, name=name: steps.__setitem__(name, steps[name] + 1))
    counts = []
    for step in range(TINY.total_steps):
        training.step(step)
        counts.append((steps["refiner"], steps["discriminator"]))
    assert counts == [(1, 0), (2, 0), (2, 1), (2, 2), (4, 3), (6, 4), (8, 5), (10, 6)]
    assert len(training.history) == 8  # four rounds of half a batch of four


def test_a_discriminator_learns_to_tell_and_leaves_the_refiner_as_it_was(source, target):
    training = lesson(source, target, TINY.model_copy(update={"imitation_steps": 0, "telling_steps": 40}))
    refiner = {name: value.clone() for name, value in training.nets["refiner"].state_dict().items()}
    losses = [training.step(step)["telling"] for step in range(40)]
    assert losses[-1] < 0.5 * losses[0]
    with torch.no_grad():
        on_refined = training.discriminator(training.refiner(training.judged_source))
        on_real = training.discriminator(training.judged_target)
    assert on_refined.mean() > 0 > on_real.mean()
    assert all(torch.equal(value, refiner[name]) for name, value in training.nets["refiner"].state_dict().items())


def test_a_refiner_moves_the_pictures_towards_the_real_ones(source, target, tmp_path):
    config = TINY.model_copy(
        update={"output": "residual", "largest_change": 1.0, "imitation_steps": 0, "telling_steps": 20, "steps": 40}
    )
    refiner = SimganRefiner.fit(source, target, tmp_path / "out", config, seed=1, progress=False)
    refined = refiner.refine(np.stack([source.rgb(i) for i in range(3)]))
    assert refined.mean() > 110  # the source is at 90, the target at 160


def test_a_fit_that_was_cut_ends_bit_equal(source, target, tmp_path, monkeypatch):
    whole = SimganRefiner.fit(source, target, tmp_path / "whole", TINY, seed=3, progress=False)
    original, monkeypatched = PatchLesson.step, 6

    def cut(self, step):
        if step == monkeypatched:
            raise KeyboardInterrupt
        return original(self, step)

    monkeypatch.setattr("models.refiners.simgan.SAVE_EVERY", 5)
    monkeypatch.setattr(PatchLesson, "step", cut)
    with pytest.raises(KeyboardInterrupt):
        SimganRefiner.fit(source, target, tmp_path / "cut", TINY, seed=3, progress=False)
    monkeypatch.setattr(PatchLesson, "step", original)
    resumed = SimganRefiner.fit(source, target, tmp_path / "cut", TINY, seed=3, progress=False)
    assert resumed.digest == whole.digest and resumed.provenance == whole.provenance
    last = [torch.load(tmp_path / name / "last.pt", weights_only=True) for name in ("whole", "cut")]
    assert torch.equal(*[content["extra"]["history"]["images"] for content in last])


def test_a_saved_refiner_refines_as_before(source, target, tmp_path):
    refiner = SimganRefiner.fit(source, target, tmp_path / "out", TINY, seed=3, progress=False)
    loaded = load_refiner(tmp_path / "out" / "refiner.pt")
    rgb = np.random.default_rng(0).integers(0, 256, (2, 21, 33, 3), dtype=np.uint8)
    assert loaded.digest == refiner.digest and loaded.chosen_step in (6, 8) and loaded.passed_gate is None
    assert np.array_equal(loaded.refine(rgb), refiner.refine(rgb))
    assert loaded.refine(rgb).shape == rgb.shape


def test_tiles_show_no_seams():
    torch.manual_seed(0)
    net, x = PatchRefiner(8, 2, 4), torch.rand(1, 3, 50, 70) * 2 - 1
    with torch.no_grad():
        assert (tiled(net, x, 24, net.halo_px) - net(x)).abs().max() < 1e-5


# --- the choice of the step


class Scripted(PatchDiscriminator):
    """Says the next pair of logits: of refined pictures, then of real ones."""

    def __init__(self, logits: list[tuple[float, float]]):
        super().__init__(SIMGAN_LAYERS, 0.1)
        self.script = [value for pair in logits for value in pair]

    def forward(self, rgb):
        return torch.full((len(rgb), 1, 1), self.script.pop(0))


def looks(training: PatchLesson, logits: list[tuple[float, float]]) -> int:
    training.discriminator = Scripted(logits)
    for step in range(len(logits)):
        training._choose(step)
    return training.chosen["step"]


def test_the_step_kept_is_where_refined_costs_most_and_real_least(source, target):
    right, fooled, fooled_more, unsure_of_both = (2.0, -2.0), (-1.0, -2.0), (-2.0, -2.0), (-2.0, 2.0)
    assert looks(lesson(source, target), [right, fooled, fooled_more, unsure_of_both, fooled]) == 2


def test_no_step_is_kept_before_both_have_come_to_terms(source, target):
    settled = lesson(source, target, TINY.model_copy(update={"settle": 0.5, "choose_every": 1}))
    kept = []
    for step in range(TINY.total_steps):
        settled.step(step)
        kept.append(settled.chosen.get("step"))
    assert kept[:6] == [None] * 6 and kept[6:] == [7, settled.chosen["step"]]  # rounds 3 and 4 of the 4


def test_a_step_that_the_gate_lets_pass_beats_a_better_one_that_it_does_not(source, target):
    verdicts = iter([False, True, False, True])
    training = lesson(source, target, gate=lambda weights: next(verdicts))
    #       fails;        passes;      would fool more, fails; fools less than the one kept: never asked
    assert looks(training, [(-3.0, -2.0), (-1.0, -2.0), (-4.0, -2.0), (0.0, -2.0)]) == 1
    assert next(verdicts) is True


def test_without_a_step_that_passes_the_best_is_kept_and_told(source, target, tmp_path):
    asked = []
    refiner = SimganRefiner.fit(
        source, target, tmp_path / "out", TINY, seed=3, gate=lambda r: bool(asked.append(r)), progress=False
    )
    assert refiner.provenance["gate"] == "failed"
    assert load_refiner(tmp_path / "out" / "refiner.pt").passed_gate is False
    assert [r.kind for r in asked] == ["simgan", "simgan"]


def test_presets_differ_where_a_cpu_needs_it():
    paper, small = SimganConfig.preset("paper"), SimganConfig.preset("small")
    assert (paper.channels, paper.blocks, paper.output, paper.refiner_updates) == (64, 4, "tanh", 2)
    assert (paper.imitation_steps, paper.telling_steps) == (1000, 200)
    assert small.channels < paper.channels and small.steps < paper.steps
