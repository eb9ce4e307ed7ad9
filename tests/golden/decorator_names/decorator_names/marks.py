from oneiric.component import component

__all__ = ["component"]
