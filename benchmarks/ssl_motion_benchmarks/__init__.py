"""Transfer benchmarks shipped with ssl-motion; each is found by entry point."""
