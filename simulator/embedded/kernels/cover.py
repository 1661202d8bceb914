# type: ignore
# ruff: noqa: UP018
"""What the camera sees first at points of its film: each triangle is drawn into a buffer that keeps the nearest.

A point of the film looks along d = ((x - cx) / fx, (cy - y) / fy, 1) to the right, up and forward, so that a depth z
along the axis is reached at z d. With the corners a, b, c of a triangle as seen from the camera and
det = a . (b x c), d meets it where wa = d . (b x c) / det, wb = d . (c x a) / det and wc = d . (a x b) / det are all
positive; their sum is 1 / z. No triangle is clipped, both of its sides count, and neighbours share their edge (Olano
and Greer, 'Triangle scan conversion using 2D homogeneous coordinates', 1997). In 64 bits, as rays through the very same
points are what occlusion is counted with.
"""

import warp as wp

from simulator.embedded.kernels.records import Geometry, Pinhole

NEAR_M = wp.constant(0.1)  # depth where the camera begins to see
WIDE = wp.constant(8)  # columns from which on it pays to work out which of them a row of a triangle has
NO_FACE = wp.constant(-1)
LAST_FACE = wp.constant(0x7FFFFFFF)


@wp.func
def from_camera(geometry: Geometry, camera: Pinhole, corner: int) -> wp.vec3d:
    """A triangle's corner to the right of the camera, above it, and in front."""
    point = wp.vec3d(geometry.points[geometry.corners[corner]]) - wp.vec3d(camera.origin)
    return wp.vec3d(
        wp.dot(point, wp.vec3d(camera.right)),
        wp.dot(point, wp.vec3d(camera.up)),
        wp.dot(point, wp.vec3d(camera.forward)),
    )


@wp.func
def with_point(box: wp.vec4d, camera: Pinhole, point: wp.vec3d) -> wp.vec4d:
    """The box (x0, y0, x1, y1) on the film, widened to hold a point in front of the camera."""
    per_depth = wp.float64(1.0) / point[2]
    x = wp.float64(camera.centre[0]) + wp.float64(camera.focal[0]) * point[0] * per_depth
    y = wp.float64(camera.centre[1]) - wp.float64(camera.focal[1]) * point[1] * per_depth
    return wp.vec4d(wp.min(box[0], x), wp.min(box[1], y), wp.max(box[2], x), wp.max(box[3], y))


@wp.func
def with_edge(box: wp.vec4d, camera: Pinhole, a: wp.vec3d, b: wp.vec3d) -> wp.vec4d:
    """The box widened by what of the edge from a to b lies beyond NEAR_M, but for b."""
    near = wp.float64(NEAR_M)
    wider = box
    if a[2] >= near:
        wider = with_point(wider, camera, a)
    if (a[2] < near) != (b[2] < near):
        wider = with_point(wider, camera, a + (b - a) * ((near - a[2]) / (b[2] - a[2])))
    return wider


@wp.func
def over_film(camera: Pinhole, across: wp.vec3d) -> wp.vec3d:
    """`across` . d as p x + q y + r of the film's coordinates: (p, q, r)."""
    p = across[0] / wp.float64(camera.focal[0])
    q = -across[1] / wp.float64(camera.focal[1])
    return wp.vec3d(p, q, across[2] - p * wp.float64(camera.centre[0]) - q * wp.float64(camera.centre[1]))


@wp.func
def first_at(edge: wp.float64, offset: wp.float64) -> int:
    """The first row or column, from 0 on, whose sample, `offset` into it, is not before `edge` (or but just before)."""
    return int(wp.clamp(edge - offset, wp.float64(-0.5), wp.float64(65536.0)) + wp.float64(0.9999))


@wp.func
def end_at(edge: wp.float64, offset: wp.float64, count: int) -> int:
    """One more than the last of `count` rows or columns whose sample is not after `edge` (or but just after)."""
    return wp.min(int(wp.clamp(edge - offset, wp.float64(-1.0), wp.float64(65536.0)) + wp.float64(1.0001)), count)


@wp.func
def narrowed(span: wp.vec2d, at_zero: wp.float64, per_column: wp.float64, columns_per: wp.float64) -> wp.vec2d:
    """The columns (first, end) where at_zero + per_column * column is not negative, and one or two more at the ends.

    `columns_per` is 1 / per_column: for many rows, divided once.
    """
    first = span[0]
    end = span[1]
    if per_column > wp.float64(0.0):
        first = wp.max(first, -at_zero * columns_per - wp.float64(1.0))
    elif per_column < wp.float64(0.0):
        end = wp.min(end, -at_zero * columns_per + wp.float64(2.0))
    elif at_zero < wp.float64(0.0):
        end = first
    return wp.vec2d(first, wp.max(end, first))


@wp.kernel
def cover(
    geometry: Geometry,
    camera: Pinhole,
    first_face: int,
    corner_px: wp.vec2,
    stride_px: float,
    samples: wp.array[wp.vec2],
    nearest: wp.array3d[wp.uint64],
):
    """Draws one triangle into `nearest` (samples, rows, columns), which is 0 where nothing was met so far.

    Row i and column j look through the film at `corner_px` + (j, i) * `stride_px` and a sample's offset in strides.
    The upper half of a number is 1 / depth as the bits of a float32, which grow as it does; the lower half tells the
    face, so that of two at one depth the first wins, whatever the order.
    """
    face = first_face + wp.tid()
    near = wp.float64(NEAR_M)
    a = from_camera(geometry, camera, 3 * face)
    b = from_camera(geometry, camera, 3 * face + 1)
    c = from_camera(geometry, camera, 3 * face + 2)
    if a[2] < near and b[2] < near and c[2] < near:
        return
    far = wp.float64(1.0e30)
    box = wp.vec4d(far, far, -far, -far)
    box = with_edge(box, camera, a, b)
    box = with_edge(box, camera, b, c)
    box = with_edge(box, camera, c, a)
    stride = wp.float64(stride_px)
    x_px = wp.float64(corner_px[0])
    y_px = wp.float64(corner_px[1])
    x0 = (box[0] - x_px) / stride
    y0 = (box[1] - y_px) / stride
    x1 = (box[2] - x_px) / stride
    y1 = (box[3] - y_px) / stride
    columns = nearest.shape[2]
    rows = nearest.shape[1]
    if x1 < wp.float64(0.0) or y1 < wp.float64(0.0) or x0 > wp.float64(columns) or y0 > wp.float64(rows):
        return

    any_sample = bool(False)
    for sample in range(samples.shape[0]):
        right = wp.float64(samples[sample][0])
        down = wp.float64(samples[sample][1])
        if first_at(x0, right) < end_at(x1, right, columns) and first_at(y0, down) < end_at(y1, down, rows):
            any_sample = True
    if not any_sample:  # a third of all triangles lie between the points that are looked through
        return

    across = wp.cross(b, c)
    det = wp.dot(a, across)
    if det == wp.float64(0.0):  # seen edge-on
        return
    wa = over_film(camera, across / det)
    wb = over_film(camera, wp.cross(c, a) / det)
    wc = over_film(camera, wp.cross(a, b) / det)
    per_column = wp.vec3d(wa[0], wb[0], wc[0]) * stride
    columns_per = wp.vec3d(
        wp.float64(1.0) / per_column[0], wp.float64(1.0) / per_column[1], wp.float64(1.0) / per_column[2]
    )
    nothing = wp.float64(0.0)
    for sample in range(samples.shape[0]):
        right = wp.float64(samples[sample][0])
        down = wp.float64(samples[sample][1])
        first_column = first_at(x0, right)
        end_column = end_at(x1, right, columns)
        for row in range(first_at(y0, down), end_at(y1, down, rows)):
            y = y_px + (wp.float64(row) + down) * stride
            a_row = wa[1] * y + wa[2]
            b_row = wb[1] * y + wb[2]
            c_row = wc[1] * y + wc[2]
            span = wp.vec2d(wp.float64(first_column), wp.float64(end_column))
            if end_column - first_column > WIDE:
                left = x_px + right * stride
                span = narrowed(span, wa[0] * left + a_row, per_column[0], columns_per[0])
                span = narrowed(span, wb[0] * left + b_row, per_column[1], columns_per[1])
                span = narrowed(span, wc[0] * left + c_row, per_column[2], columns_per[2])
            for column in range(int(span[0]), int(span[1])):
                x = x_px + (wp.float64(column) + right) * stride
                a_share = wa[0] * x + a_row
                b_share = wb[0] * x + b_row
                c_share = wc[0] * x + c_row
                if a_share >= nothing and b_share >= nothing and c_share >= nothing:
                    per_depth = a_share + b_share + c_share
                    if per_depth > nothing and per_depth * near <= wp.float64(1.0):
                        bits = wp.uint64(wp.cast(float(per_depth), wp.uint32))
                        seen = (bits << wp.uint64(32)) | wp.uint64(LAST_FACE - face)
                        if seen > nearest[sample, row, column]:
                            wp.atomic_max(nearest, sample, row, column, seen)


@wp.func
def face_seen(seen: wp.uint64) -> int:
    """The face that a number of `cover` tells of; NO_FACE where nothing was met."""
    if seen == wp.uint64(0):
        return NO_FACE
    return LAST_FACE - int(seen & wp.uint64(0xFFFFFFFF))


@wp.func
def depth_seen(seen: wp.uint64) -> float:
    """Its depth; infinite where nothing was met."""
    if seen == wp.uint64(0):
        return wp.inf
    return 1.0 / wp.cast(wp.uint32(seen >> wp.uint64(32)), float)
