"""The trace of one image and one weight through forward, backward and update, with every number."""

from glassnet.analysis.trace.tracing import Trace, trace

__all__ = ["Trace", "trace"]
