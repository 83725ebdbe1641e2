"""Hyperparameter search: points of a recipe's keys, trained and compared on validation data, by any number of workers."""
