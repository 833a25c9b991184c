"""What comes in: the catalogue, canonical tables and their checks, cleaning, the simulated shop, the engine."""
