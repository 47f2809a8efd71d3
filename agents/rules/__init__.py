"""Rules as a user states them: parameters, checks, what each needs; each makes a policy of a compiled function."""
