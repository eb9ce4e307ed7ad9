"""What a checkout of this project holds that is made from something else: tables and pages of the docs, lists."""
