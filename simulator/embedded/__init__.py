"""The simulator that needs no server: a ray tracer on NVIDIA Warp, assets made in code."""
