"""The router's side: whom it is asked about, what is open to it, what it sees, and what its answers do."""
