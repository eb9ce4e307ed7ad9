from oneiric.declaration import component

__all__ = ["component"]
