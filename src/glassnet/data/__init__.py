"""Data sets: images with labels, where they come from, and how they are divided."""

from __future__ import annotations

from glassnet.data.augmentation import expand_by_shifts
from glassnet.data.catalog import DatasetInfo, list_datasets
from glassnet.data.dataset import Dataset, Splits
from glassnet.data.fetch import Remote, cache_folder, fetch_remote
from glassnet.data.load import load_dataset
from glassnet.data.readers.builtin import make_chain, read_digits
from glassnet.data.readers.drawn import draw_characters
from glassnet.data.readers.idx import read_idx
from glassnet.data.readers.image import read_image
from glassnet.data.readers.mnist import find_mnist, mnist_folders, read_mnist
from glassnet.data.splits import divide, split_by_group, split_folds, split_in_order, split_random, split_stratified

__all__ = [
    "Dataset",
    "DatasetInfo",
    "Remote",
    "Splits",
    "cache_folder",
    "divide",
    "draw_characters",
    "expand_by_shifts",
    "fetch_remote",
    "find_mnist",
    "list_datasets",
    "load_dataset",
    "make_chain",
    "mnist_folders",
    "read_digits",
    "read_idx",
    "read_image",
    "read_mnist",
    "split_by_group",
    "split_folds",
    "split_in_order",
    "split_random",
    "split_stratified",
]
