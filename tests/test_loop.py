"""When the loop stops, who is champion, what the cap lets in, and how kinds share it."""

import json

import pytest

from flows.settings import resolve
from tasks.campaign import Campaign
from tasks.comparison import crown
from tasks.mixing import max_share_of_mix, shares_by_cost
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
