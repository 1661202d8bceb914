"""When the loop stops, who is champion, what the cap lets in, and how kinds share it."""

import json

import pytest

from dataset.errors import InputError
from dataset.schema import Frame, Objects
from dataset.store import DatasetWriter
from evaluation.failure import Failure
from flows.imitation import turn
from flows.settings import resolve
from tasks.campaign import Campaign
from tasks.comparison import crown
from tasks.data import Data
from tasks.lock import locked
from tasks.mining import can_be_labelled
from tasks.mixing import max_share_of_mix, shares_by_cost
from tasks.split_checks import check_splits
from tasks.stopping import why_stop


@pytest.fixture
def campaign(tmp_path):
    settings = ["loop.max_cycles=9", "loop.patience=2", "loop.epsilon=0.01"]
    return Campaign.open(resolve("smoke", flags={"runs": str(tmp_path)}, overrides=settings))


def record_cycles(campaign, values, dropped=0):
    """Fake the records of finished cycles; values: val mAP of the learning arm, the baseline first."""
    for number, value in enumerate(values):
        folder = campaign.cycle(number).comparison
        folder.mkdir(parents=True, exist_ok=True)
        arm = "imitation" if number else "baseline"
        mix = {"imitation": {"dropped": dropped, "synthetic_share": 0.5}} if number else {}
        scores = {"intervals": {"mAP": {"value": value}}}
        champion = {"cycle": 0, "arm": "baseline"}
        record = {"arms": {arm: {"val": scores}}, "mix": mix, "champion": champion}
        (folder / "metrics.json").write_text(json.dumps(record))
        (folder / "step.json").write_text("{}")


@pytest.mark.parametrize("coefficient", ["radial_k1", "radial_k2"])
def test_a_lens_that_only_the_random_arm_would_have_is_refused_before_anything_is_made(coefficient, tmp_path):
    config = resolve("smoke", flags={"runs": str(tmp_path), f"simulator.street.{coefficient}": [-0.05, 0.0]})
    with pytest.raises(InputError, match="arms would differ by their lens"):
        turn.fn(config, 0)
    assert not list(tmp_path.iterdir())


def test_one_cycle_below_the_baseline_does_not_stop_the_loop(campaign):
    record_cycles(campaign, [0.50, 0.45])
    assert why_stop(campaign, 1) is None


def test_two_cycles_without_a_gain_stop_the_loop(campaign):
    record_cycles(campaign, [0.50, 0.45, 0.505])
    assert "for 2 cycles" in (why_stop(campaign, 2) or "")


def test_a_gain_after_a_drop_is_measured_against_the_best_so_far(campaign):
    record_cycles(campaign, [0.50, 0.45, 0.52, 0.515])
    assert why_stop(campaign, 3) is None


def test_the_loop_stops_when_the_cap_is_met(campaign):
    record_cycles(campaign, [0.50, 0.60], dropped=3)
    assert "met its cap" in (why_stop(campaign, 1) or "")


def test_a_baseline_alone_is_no_reason_to_stop(campaign):
    record_cycles(campaign, [0.50])
    assert why_stop(campaign, 0) is None


def gains(low):
    return {"gains": {"champion": {"val": {"mAP": {"value": 0.02, "low": low, "high": 0.05}}}}}


def test_a_gain_within_the_noise_leaves_the_champion(campaign):
    record_cycles(campaign, [0.5, 0.52])
    holder = crown(campaign.cycle(1), gains(low=-0.001))
    assert (holder["cycle"], holder["promoted"]) == (0, False)


def test_a_gain_outside_the_noise_makes_a_champion(campaign):
    record_cycles(campaign, [0.5, 0.52])
    assert crown(campaign.cycle(1), gains(low=0.001)) == {"cycle": 1, "arm": "imitation", "promoted": True}


def test_the_stricter_cap_counts_against_the_real_frames():
    assert max_share_of_mix(0.5, "mix") == 0.5
    # 50 synthetic to 100 real are half of the real ones and a third of the mix.
    assert max_share_of_mix(0.5, "real") == pytest.approx(1 / 3)


def test_when_the_cap_binds_kinds_share_it_by_what_they_still_cost():
    cost = {"missed": 0.3, "background": 0.1}
    kinds = ["missed", "missed", "missed", "background"]
    weights = shares_by_cost(kinds, cost)
    assert weights is not None
    assert weights[:3].sum() / weights.sum() == pytest.approx(0.75)
    assert weights[0] == weights[1] == weights[2]


def test_a_kind_that_costs_nothing_any_more_keeps_a_foot_in_the_door():
    weights = shares_by_cost(["missed", "background"], {"missed": 0.3})
    assert weights is not None
    assert 0 < weights[1] < 0.05 * weights[0]


def test_frames_without_a_failure_are_drawn_alike():
    assert shares_by_cost([None, None], {"missed": 0.3}) is None


def test_a_run_of_other_data_is_not_emptied(campaign):
    data = campaign.config.data.model_copy(update={"train": "kitti:elsewhere"})
    with pytest.raises(InputError, match=r"holds a campaign with data\.train"):
        Campaign.open(campaign.config.model_copy(update={"stand_in": None, "data": data}))


def test_two_processes_cannot_work_on_one_run(campaign):
    with locked(campaign.run.folder), pytest.raises(InputError, match="another process"), locked(campaign.run.folder):
        pass


def splits_of(folder, **pictures) -> Data:
    """Stores that hold one frame for each named picture; '-' has no object."""
    for name, files in pictures.items():
        with DatasetWriter(folder / name, ["car"], name) as writer:
            for file in files:
                frame = Frame(file, str(folder / f"{file}.png"), 8, 8, group=file)
                writer.add(frame, Objects.none() if file == "-" else Objects.of([0], [[0, 0, 4, 4]]))
    return Data(*(folder / name for name in ("train", "pool", "val")), test=None, digest="")


def test_a_picture_that_trains_must_not_judge(campaign, tmp_path):
    check_splits(splits_of(tmp_path / "a", train="ab", pool="c", val="d"), campaign.config)
    with pytest.raises(InputError, match=r"data\.val: shares 1 pictures with pool"):
        check_splits(splits_of(tmp_path / "b", train="ab", pool="c", val="cd"), campaign.config)


def test_a_split_without_objects_is_refused_before_anything_is_trained(campaign, tmp_path):
    with pytest.raises(InputError, match="the val split has no object"):
        check_splits(splits_of(tmp_path, train="a", pool="b", val="-"), campaign.config)


def test_what_would_be_too_small_to_label_is_not_chosen(campaign):
    failure = Failure("f", "frame", "missed", "sign", (100.0, 50.0, 112.0, 62.0))
    simulator = campaign.config.simulator
    assert can_be_labelled(failure, 640, simulator)
    assert not can_be_labelled(failure, 640, simulator.model_copy(update={"max_width_px": 320})), "6 px are left of 12"
