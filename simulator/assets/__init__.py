"""The user's own models (GLB, glTF) that join the simulator's assets or replace them."""
