"""What another policy would have cost, estimated from the decisions of one alone."""
