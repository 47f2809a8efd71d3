"""Value learning: DQN and QR-DQN that know masks and elapsed time, over the candidate-scoring network."""
