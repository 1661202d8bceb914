"""The method as Prefect flows: train, mine, re-create, mix, retrain, compare, until nothing more is gained."""

from itertools import count

from prefect import flow

from tasks.campaign import Campaign
from tasks.comparison import compare_arms, learner
from tasks.config import CampaignConfig
from tasks.data import Data, prepare_data
from tasks.layout import BASELINE, IMITATION, RANDOM, REAL, REFINED
from tasks.learn import detect, detections_of, train_detector, training_of
from tasks.lock import locked
from tasks.log import say
from tasks.mining import choose_failures, mine_failures, nothing_left
from tasks.mixing import mix_under_cap
from tasks.publish import publish_campaign, publish_cycle
from tasks.refining import fit_refiner_of_cycle, refine_scenes, require_refinable, require_refiner
from tasks.scenes import random_scenes, recreate_scenes, require_arms_alike, synthetic_of
from tasks.steps import Step
from tasks.stopping import why_stop


@flow(name="campaign", flow_run_name="{config.name}", persist_result=False)
def campaign(config: CampaignConfig) -> str:
    """A baseline, then imitation cycles until the gain ends or the cap is met. Returns why it stopped.

    Run again, it goes through the same cycles: what is unchanged is skipped, what was interrupted is gone on with.
    """
    for number in count():
        if (reason := turn(config, number)) is not None:
            say(f"stopped: {reason}")
            return reason
    raise AssertionError("count() does not end")


@flow(name="cycle", flow_run_name="{config.name}-cycle", persist_result=False)
def cycle(config: CampaignConfig) -> int:
    """The next cycle of a campaign, after all that it stands on (skipped where unchanged). Returns its number."""
    last = max(Campaign.open(config).run.finished_cycles(), default=0) + 1
    reasons = [turn(config, number) for number in range(last + 1)]
    if reasons[-1] is not None:
        say(f"a campaign would stop here: {reasons[-1]}")
    return last


@flow(name="turn", flow_run_name="{config.name}-{number}", persist_result=False)
def turn(config: CampaignConfig, number: int) -> str | None:
    """Cycle `number` of a campaign whose earlier ones are there; 0 is the baseline. Ends with the report.

    Returns why the campaign ends here, None while it may go on.
    """
    require_refiner(config.refiner)
    require_arms_alike(config.simulator)
    opened = Campaign.open(config)
    with locked(opened.run.folder):
        data = prepare_data(opened)
        require_refinable(config.refiner, data)
        if number == 0:
            baseline(opened, data)
            reason = why_stop(opened, number)
        else:
            reason = imitate(opened, data, number) or why_stop(opened, number)
        publish_campaign(opened, data, reason)
    return reason


def baseline(opened: Campaign, data: Data) -> None:
    """Cycle 0: the detector on real data alone."""
    zero = opened.cycle(0)
    detections = [
        detect(opened, zero, BASELINE, seed, train_detector(opened, zero, BASELINE, seed, data.train, init=None), data)
        for seed in opened.seeds
    ]
    compare_arms(opened, zero, data, {BASELINE: detections})
    publish_cycle(opened, zero, data)


def imitate(opened: Campaign, data: Data, number: int) -> str | None:
    """One turn of the loop, with its control arms, and one whose scenes are refined where that is asked for.

    Every arm trains for the same steps.

    Returns why nothing was done, where no failure is left that a scene could answer.
    """
    now, before = opened.cycle(number), opened.cycle(number - 1)

    failures = mine_failures(opened, now, data, detections_of(before, learner(before), seed=0))
    chosen = choose_failures(opened, now, data, failures)
    if (nothing := nothing_left(chosen)) is not None:
        return nothing
    recreated = recreate_scenes(opened, now, data, chosen)
    scenes = {IMITATION: recreated, RANDOM: random_scenes(opened, now, data, like=recreated)}
    if REFINED in now.arms:
        mined = training_of(before, learner(before), seed=0)
        refiner = fit_refiner_of_cycle(opened, now, data, recreated, mined)
        scenes[REFINED] = refine_scenes(opened, now, recreated, refiner, mined)

    train_on = {REAL: data.train}
    for arm, synthetic in scenes.items():
        mixed = mix_under_cap(opened, now, arm, data, [*synthetic_of(now, arm), synthetic])
        train_on[arm] = mixed.folder / "store"

    detections: dict[str, list[Step]] = {arm: [] for arm in now.arms}
    for arm in now.arms:
        for seed in opened.seeds:
            start = training_of(before, arm if number > 1 else BASELINE, seed)
            detector = train_detector(opened, now, arm, seed, train_on[arm], init=start)
            detections[arm].append(detect(opened, now, arm, seed, detector, data))

    compare_arms(opened, now, data, detections)
    publish_cycle(opened, now, data)
    return None
