"""Pretraining data: the sample, its storage in shards, loading and augmentation."""
