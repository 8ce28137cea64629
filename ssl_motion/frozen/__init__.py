"""Reading frozen trunks: their features computed once, kept on disk, and linear probes on top. Plain torch."""
