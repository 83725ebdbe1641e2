"""The microscope: one image and one weight followed through forward, backward and update, with every number."""

from glassnet.analysis.trace.tracing import Trace, trace

__all__ = ["Trace", "trace"]
