"""YAML that knows its lines: reading, `extends`, overrides, and messages that name file, line, value and rule.

Touches the user's files; knows no scenario.
"""
