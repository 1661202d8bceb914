"""What camera took a data set's frames, so that the embedded simulator's can be made like it."""
