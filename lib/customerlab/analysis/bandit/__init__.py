"""Bandits: policies, their simulation, off-policy evaluation, and tests that go on."""
