"""Where bytes of strangers become manifests that may be used: parsed, verified, pinned."""
