"""One source in parts: what is known of each partition, its state in the run's checkpoint, and where it is read."""
