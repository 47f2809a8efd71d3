"""What no log tells: assumed numbers, their ranges, and which policy is best within them."""
