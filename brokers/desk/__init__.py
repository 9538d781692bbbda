"""The order desk: one thread that owns every order of ours, its journal, and what is decided from it."""
