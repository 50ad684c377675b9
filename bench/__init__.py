"""Speed and size, measured on real processes and servers."""
