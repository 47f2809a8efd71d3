"""Transfer: policies played in centers that have moved from where they were trained."""
