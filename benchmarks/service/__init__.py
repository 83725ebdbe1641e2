"""The service under load, beside onnxruntime served by the same app, and under damaged images."""
