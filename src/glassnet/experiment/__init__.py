"""Trainings as recipes: run folders, overrides, several seeds, ensembles, the learning-rate range test."""
