"""What the simulator runs on: compilation, records, the event list, luck, the journal. Knows nothing of contact centers
but the fields of its records.
"""
