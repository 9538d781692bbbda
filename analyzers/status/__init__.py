"""The status page: what a live process writes about itself, read and shown by another process."""
