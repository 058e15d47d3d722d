"""Resampling of subjects: random draws, bootstrap replicates and permutation tests."""
