"""One function a figure: a table in, a picture with alt text out; one style for all."""
