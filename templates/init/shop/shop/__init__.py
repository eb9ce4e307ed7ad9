"""A small shop: orders, and two ways to pay them."""
