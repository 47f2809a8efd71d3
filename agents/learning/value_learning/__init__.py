"""Value learning: DQN and QR-DQN with masks and elapsed time. See the modules."""
