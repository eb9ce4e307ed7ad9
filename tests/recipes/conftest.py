"""What recorded examples add is no part of this tree."""

collect_ignore_glob = ["*/new/*"]
