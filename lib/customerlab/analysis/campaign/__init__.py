"""Campaigns: whom to contact with what, when, by which channel and for how much, and what it earned."""
