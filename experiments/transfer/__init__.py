"""Transfer: centers that have moved from their scenario, and policies played in them as they are."""
