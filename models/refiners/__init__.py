"""Refiners: what makes a render look more like the real images, and leaves what it shows where it was."""
