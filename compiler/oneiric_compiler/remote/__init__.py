"""Manifests from elsewhere: fetched, checked, pinned; looked after by a watch. What is fetched here, nobody trusts."""
