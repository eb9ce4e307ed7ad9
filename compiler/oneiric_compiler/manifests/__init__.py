"""Where untrusted bytes become manifests that may be used: parsed, verified, pinned."""
