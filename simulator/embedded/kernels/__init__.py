"""The code that runs on the device, in Warp's kernel language: Python in grammar only, so no type checker reads it."""
