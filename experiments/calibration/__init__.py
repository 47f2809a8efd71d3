"""From a real log to a scenario, and how well the scenario meets days that it has not seen."""
