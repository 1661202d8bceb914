"""Charts as inline SVG: text in the page's font, colours from the page's style, so that both schemes can be read.

An interval is a dict {"value", "low", "high"}, as metrics.json holds it; NaN marks are left out, the tables say
'unknown'. Arms differ by shape as well as by colour.
"""

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

Interval = Mapping[str, float]

WIDTH, HEIGHT = 520, 270  # of a chart in its own units; the page scales it
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 30
SHAPES = {
    "imitation": '<circle cx="{x:.1f}" cy="{y:.1f}" r="5"/>',
    "refined": '<path d="M{x:.1f} {y:.1f}m-5 -4h10l-5 9z"/>',
    "random": '<path d="M{x:.1f} {y:.1f}m0 -6l6 6l-6 6l-6 -6z"/>',
    "real": '<path d="M{x:.1f} {y:.1f}m-4.5 -4.5h9v9h-9z"/>',
    "baseline": '<path d="M{x:.1f} {y:.1f}m0 -6l6 10h-12z"/>',
}


def known(interval: Interval) -> bool:
    return not math.isnan(interval["value"])


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers that cover low to high in about `count` steps. Equal ends (all arms at 0) get a narrow scale."""
    span = max(high - low, 0.01)
    power = 10 ** math.floor(math.log10(span / count))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= span / count)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


def key(arm: str) -> Markup:
    """The mark of an arm, for a legend or a table."""
    shape = SHAPES[arm].format(x=8, y=8)
    return Markup(f'<svg class="key {escape(arm)}" viewBox="0 0 16 16" aria-hidden="true">{shape}</svg>')


def by_cycle(lines: Mapping[str, Mapping[int, Interval]], label: str) -> Markup:
    """A figure against the cycle, a line an arm, whiskers for the intervals. lines: arm -> cycle -> interval.

    Arms stand beside each other within a cycle, so that their whiskers do not hide one another.
    """
    marks = [interval for line in lines.values() for interval in line.values() if known(interval)]
    if not marks:
        return Markup('<p class="unknown">{}: unknown</p>').format(label)
    ends = [_end(interval, side) for interval in marks for side in ("low", "high")]
    scale = ticks(max(min(ends), 0), max(ends))
    cycles = sorted({cycle for line in lines.values() for cycle in line})
    step = (WIDTH - LEFT - RIGHT) / len(cycles)

    def x_of(cycle: int, arm: str) -> float:
        beside = {"imitation": -1, "refined": -2, "real": 1}.get(arm, 0)
        return LEFT + step * (cycles.index(cycle) + 0.5) + beside * min(10, step / 8)

    def y_of(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (scale[-1] - value) / (scale[-1] - scale[0])

    parts = [
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y_of(t):.1f}" y2="{y_of(t):.1f}"/>'
        f'<text x="{LEFT - 8}" y="{y_of(t) + 4:.1f}" text-anchor="end">{_plain(t, scale)}</text>'
        for t in scale
    ]
    for cycle in cycles:
        name = "baseline" if cycle == 0 else f"cycle {cycle}"
        x = LEFT + step * (cycles.index(cycle) + 0.5)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{name}</text>')
    for arm, line in lines.items():
        points = {cycle: interval for cycle, interval in sorted(line.items()) if known(interval)}
        path = [(x_of(cycle, arm), y_of(interval["value"])) for cycle, interval in points.items()]
        start = lines.get("baseline", {}).get(0)
        if arm != "baseline" and start is not None and known(start):
            path.insert(0, (x_of(0, "baseline"), y_of(start["value"])))
        parts.append(f'<g class="{escape(arm)}"><polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in path)}"/>')
        for cycle, interval in points.items():
            x, y = x_of(cycle, arm), y_of(interval["value"])
            low, high = y_of(_end(interval, "low")), y_of(_end(interval, "high"))
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>')
            parts.append(SHAPES[arm].format(x=x, y=y))
        parts.append("</g>")
    return _svg(parts, HEIGHT, label)


def forest(rows: Sequence[tuple[str, Interval]], label: str) -> Markup:
    """Differences with intervals, one below the other, against a line at 0. Hollow marks: 0 lies in the interval."""
    shown = [(name, interval) for name, interval in rows if known(interval)]
    if not shown:
        return Markup('<p class="unknown">{}: unknown</p>').format(label)
    ends = [_end(interval, side) for _, interval in shown for side in ("low", "high")]
    scale = ticks(min(0, *ends), max(0, *ends), count=4)
    left, right, row_height = 190, 24, 26
    height = TOP + row_height * len(shown) + BOTTOM

    def x_of(value: float) -> float:
        return left + (WIDTH - left - right) * (value - scale[0]) / (scale[-1] - scale[0])

    bottom = TOP + row_height * len(shown)
    parts = []
    for t in scale:
        parts.append(f'<line class="{"zero" if t == 0 else "grid"}" x1="{x_of(t):.1f}" x2="{x_of(t):.1f}"')
        parts.append(f' y1="{TOP}" y2="{bottom}"/><text x="{x_of(t):.1f}" y="{bottom + 18}" text-anchor="middle">')
        parts.append(f"{_plain(t, scale, sign=True)}</text>")
    for i, (name, interval) in enumerate(shown):
        y = TOP + row_height * (i + 0.5)
        noise = "" if outside_noise(interval) else " hollow"
        parts.append(f'<text x="0" y="{y + 4:.1f}">{escape(name)}</text><g class="imitation{noise}">')
        low, high = x_of(_end(interval, "low")), x_of(_end(interval, "high"))
        parts.append(f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f"{SHAPES['imitation'].format(x=x_of(interval['value']), y=y)}</g>")
    return _svg(parts, height, label)


def share_bar(interval: Interval, arm: str, label: str) -> Markup:
    """A share between 0 and 1 as a bar of table height with its interval as a whisker, where it has one."""
    if not known(interval):
        return Markup("")
    value, low, high = (100 * min(max(_end(interval, side), 0), 1) for side in ("value", "low", "high"))
    path = f"M{low:.1f} 6H{high:.1f}M{low:.1f} 3v6M{high:.1f} 3v6"
    whisker = f'<path class="whisker" d="{path}"/>' if low < high else ""
    return Markup(
        f'<svg class="bar {escape(arm)}" viewBox="0 0 100 12" role="img" aria-label="{escape(label)}" '
        f'preserveAspectRatio="none"><rect class="track" width="100" height="12"/>'
        f'<rect class="fill" width="{value:.1f}" height="12"/>'
        f"{whisker}</svg>"
    )


def outside_noise(interval: Interval) -> bool:
    """Whether the interval leaves 0 out."""
    return interval["low"] > 0 or interval["high"] < 0


def _end(interval: Interval, side: str) -> float:
    """An end of the interval; the value itself where that end is unknown (too few images to resample)."""
    return interval["value"] if math.isnan(interval[side]) else interval[side]


def _plain(value: float, scale: Sequence[float], sign: bool = False) -> str:
    digits = max(0, -math.floor(math.log10(scale[1] - scale[0]) + 1e-9))
    text = f"{value:+.{digits}f}" if sign and value else f"{value:.{digits}f}"
    return text.replace("-", "−")


def _svg(parts: Sequence[str], height: float, label: str) -> Markup:
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )
