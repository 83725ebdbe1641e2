"""The microscope: one picture and one weight followed through forward, backward and update, with every number."""

from glassnet.microscope.tracing import Trace, trace

__all__ = ["Trace", "trace"]
