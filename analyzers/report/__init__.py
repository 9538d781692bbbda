"""The one page that shows a run."""
