"""Where bars come from: files, or a seeded generator."""
