"""What we expect: features, labels, models, and how they are trained, kept and asked."""
