"""The site of these pages: `sphinx-build -W docs build/site` (Sphinx, MyST, Furo)."""

project = "Oneiric"
html_title = project
extensions = ["myst_parser"]
html_theme = "furo"
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
source_suffix = {".md": "markdown"}
html_copy_source = False
html_show_copyright = False
highlight_language = "text"
