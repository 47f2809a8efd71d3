"""What a center is, in human units, as a YAML file states it. Checked and frozen.

Touches the configuration's reader; never the simulator, which meets the scenario only in `envs.inputs`.
"""
