# type: ignore
# ruff: noqa: UP018
"""What a glossy layer mirrors: how much of the light, and the highlight of a light in one direction."""

import warp as wp

from simulator.embedded.kernels.surface import Surface


@wp.func
def fresnel(f0: float, cos_angle: float) -> float:
    """Schlick (1994)."""
    return f0 + (1.0 - f0) * wp.pow(1.0 - wp.clamp(cos_angle, 0.0, 1.0), 5.0)


@wp.func
def mirrored_share(gloss: float, f0: float, cos_angle: float) -> float:
    """Share of the light that a layer mirrors; above 1 it has that many faces, one behind the other (a pane: 2)."""
    face = fresnel(f0, cos_angle)
    return wp.where(gloss > 1.0, gloss * face / (1.0 + (gloss - 1.0) * face), gloss * face)


@wp.func
def highlight(surface: Surface, to_viewer: wp.vec3, to_light: wp.vec3) -> float:
    """Mirror-like lobe (GGX) times the cosine, for a light in one direction."""
    gloss = wp.max(surface.clearcoat, surface.metallic)
    cos_light = wp.dot(surface.normal, to_light)
    value = float(0.0)
    if gloss > 0.0 and cos_light > 0.0:
        half = wp.normalize(to_viewer + to_light)
        alpha = wp.max(surface.roughness * surface.roughness, 0.02)
        if surface.clearcoat > 0.0:
            alpha = wp.min(alpha, 0.05)
        cos_half = wp.max(wp.dot(surface.normal, half), 0.0)
        spread = cos_half * cos_half * (alpha * alpha - 1.0) + 1.0
        lobe = alpha * alpha / (3.14159 * spread * spread)
        f0 = wp.lerp(0.04, 0.7, surface.metallic)
        cos_view = wp.max(wp.dot(surface.normal, to_viewer), 0.1)
        cos_meeting = wp.dot(half, to_light)
        mirrors = gloss * lobe * fresnel(f0, cos_meeting)
        if gloss > 1.0:
            mirrors = mirrored_share(gloss, f0, cos_meeting) * lobe
        value = mirrors / (4.0 * wp.max(cos_view, cos_light)) * cos_light
    return wp.min(value, 20.0)
