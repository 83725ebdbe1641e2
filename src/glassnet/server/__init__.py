"""The service: networks that answer over HTTP."""
