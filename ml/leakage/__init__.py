"""Whether anything that is known at a bar rests on a bar that comes after it."""
