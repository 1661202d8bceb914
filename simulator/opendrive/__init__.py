"""Roads from ASAM OpenDRIVE 1.4 files, as CARLA's towns use it."""
