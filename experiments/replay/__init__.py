"""The days of a log played again: by the center's own rule, and by policies."""
