"""Trained networks in other programs' forms, and theirs in ours."""
