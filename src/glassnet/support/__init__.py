"""Atomic files, the cache, the registry of names, strict JSON, memory limits, model files, translations."""
