"""From a scenario to arrays, and from arrays to customers: parameters, demand, foresight.

The only place where scenario and simulator meet.
"""
