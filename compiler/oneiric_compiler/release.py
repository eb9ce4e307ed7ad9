"""The release: what the distribution is built with, known without a look into what is installed."""

__version__ = "0.1.0"
