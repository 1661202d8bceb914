"""Scenes: described, re-created from failures, randomised, rendered by a backend, labelled from its masks."""
