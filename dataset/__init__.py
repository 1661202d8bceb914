"""Frames, objects and detections: the one schema, its store, the readers and writers, splits and the mix."""
