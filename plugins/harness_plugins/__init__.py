"""The bundled plugins: each file is an example to copy."""
