"""What can be said of means and differences: intervals over seeds and images, ranks (docs/statistics.md)."""
