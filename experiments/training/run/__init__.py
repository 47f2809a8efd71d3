"""What all algorithms of a training share: its run, the log of it, and the states from which it can go on."""
