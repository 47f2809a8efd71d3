"""A scenario described: load against staffing, flows, warnings, actions, observation."""
