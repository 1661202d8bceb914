"""Learning curves: each term of the loss against the step, a line a training."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from tasks.curves import Curves
from tasks.report.panels import panels

RATE = "learning_rate"


def learning_curves(trainings: Mapping[str, Curves], colours: Mapping[str, str]) -> Figure:
    """A panel a term, the whole loss first and the learning rate last; what was never noted has no line."""
    names = {name: None for curves in trainings.values() for name in curves}
    terms = sorted((name for name in names if name.startswith("loss")), key=lambda name: (name != "loss", name))
    shown = [*terms, *([RATE] if RATE in names else [])]
    figure, axes = panels(max(len(shown), 1))
    for axis, name in zip(axes, shown, strict=False):
        for training, curves in trainings.items():
            if name in curves:
                axis.plot(*curves[name], color=colours[training], label=training, linewidth=1.2)
        axis.set_title(name.replace("_", " "), fontsize=10)
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
    axes[0].legend(frameon=False, fontsize=8)
    figure.suptitle("training, seed 0: means between two points", fontsize=11)
    return figure
