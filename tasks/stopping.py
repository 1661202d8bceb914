"""When the loop ends."""

from tasks.campaign import Campaign
from tasks.comparison import learner, metrics_of, val_map
from tasks.layout import IMITATION


def why_stop(campaign: Campaign, last: int) -> str | None:
    """The reason to stop after cycle `last` (0 is the baseline), or None to go on.

    A cycle without a gain over the best val mAP so far does not end the loop by itself: in the paper the first cycle
    falls below the baseline and the second is the best.
    """
    loop = campaign.config.loop
    best, without_gain = float("-inf"), 0
    for number in range(last + 1):
        cycle = campaign.cycle(number)
        value = val_map(cycle, learner(cycle))
        without_gain = 0 if value > best + loop.epsilon else without_gain + 1
        best = max(best, value)
    if last >= loop.max_cycles:
        return f"{loop.max_cycles} cycles done (loop.max_cycles)"
    if without_gain >= loop.patience:
        return f"val mAP gained less than {loop.epsilon} for {without_gain} cycles (loop.patience)"
    mix = metrics_of(campaign.cycle(last))["mix"].get(IMITATION)
    if mix is not None and mix["dropped"] > 0:
        return (
            f"the synthetic share has met its cap: {mix['synthetic_share']:.2f} of the mix (loop.max_synthetic_share)"
        )
    return None
