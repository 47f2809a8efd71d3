"""The life of a contact: arrival, promise, waiting, completion and what follows from it."""
