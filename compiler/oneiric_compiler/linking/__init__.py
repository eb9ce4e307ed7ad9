"""Parts of the stage `link`."""
