"""The one adapter to MMEngine's Runner: settings, hooks and loop for every run, and pretraining itself."""
