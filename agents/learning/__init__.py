"""Policies that learn: the network and what trains it. The only room of `agents` with torch and Stable-Baselines3."""
