"""The version: Cargo.toml's, as a test sees to."""

__version__ = "0.1.0"
