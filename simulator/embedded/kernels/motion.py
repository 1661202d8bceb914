# type: ignore
"""Light smeared along the way it moves over the film while the shutter is open, near things over far ones.

At each of several instants a pixel shows one of two: what moves as the pixel itself does, or a nearer thing that comes
by, looked for where the fastest flow about would bring it from (as McGuire et al., 'A reconstruction filter for
plausible motion blur', 2012, find theirs; they weigh speeds, here the instants are told apart).
"""

import warp as wp

STILL_PX = wp.constant(0.5)  # what moves less is left as it is
MOST_TAPS = wp.constant(64)
NEARER = wp.constant(0.9)  # a thing at less than this of another's depth is in front of it
CAME_BY_PX = wp.constant(1.0)  # how near to the pixel a thing's own flow must bring it


@wp.func
def nearest_index(at: float, count: int) -> int:
    return wp.clamp(int(wp.floor(at)), 0, count - 1)


@wp.func
def light_at(light: wp.array2d[wp.vec3], x: float, y: float) -> wp.vec3:
    """Between the four pixels about a point; pixel centres lie at .5."""
    right = wp.clamp(x - 0.5, 0.0, float(light.shape[1] - 1))
    down = wp.clamp(y - 0.5, 0.0, float(light.shape[0] - 1))
    column = wp.min(int(right), light.shape[1] - 2)
    row = wp.min(int(down), light.shape[0] - 2)
    across = right - float(column)
    below = down - float(row)
    upper = light[row, column] * (1.0 - across) + light[row, column + 1] * across
    lower = light[row + 1, column] * (1.0 - across) + light[row + 1, column + 1] * across
    return upper * (1.0 - below) + lower * below


@wp.kernel
def smear(
    light: wp.array2d[wp.vec3],
    depth_m: wp.array2d[float],
    flow_px: wp.array2d[wp.vec2],
    fastest_px: wp.array2d[wp.vec2],
    tile_px: int,
    smeared: wp.array2d[wp.vec3],
):
    """flow_px: over the whole exposure. fastest_px: of each tile and those about it."""
    row, column = wp.tid()
    own = flow_px[row, column]
    fastest = fastest_px[row / tile_px, column / tile_px]
    longest = wp.max(wp.length(own), wp.length(fastest))
    if longest < STILL_PX:
        smeared[row, column] = light[row, column]
        return
    x = float(column) + 0.5
    y = float(row) + 0.5
    in_front_m = NEARER * depth_m[row, column]
    others = wp.length(fastest - own) > STILL_PX
    if not others and wp.length(own) < STILL_PX:
        smeared[row, column] = light[row, column]
        return
    taps = wp.min(int(longest + 0.5) + 1, MOST_TAPS)  # two where it moves half a pixel, then one a pixel
    total = wp.vec3(0.0, 0.0, 0.0)
    for tap in range(taps):
        since = (float(tap) + 0.5) / float(taps) - 0.5  # of the exposure, from its middle
        u = x - since * own[0]
        v = y - since * own[1]
        if depth_m[nearest_index(v, light.shape[0]), nearest_index(u, light.shape[1])] < in_front_m:
            u = x  # hidden in the middle of the exposure: much like what is seen beside it
            v = y
        if others:
            from_x = x - since * fastest[0]
            from_y = y - since * fastest[1]
            i = nearest_index(from_y, light.shape[0])
            j = nearest_index(from_x, light.shape[1])
            if depth_m[i, j] < in_front_m:
                miss = since * (flow_px[i, j] - fastest)
                if wp.length(miss) < CAME_BY_PX:
                    u = from_x
                    v = from_y
        total += light_at(light, u, v)
    smeared[row, column] = total / float(taps)
