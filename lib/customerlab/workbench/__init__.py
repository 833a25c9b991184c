"""How notebooks run: typed parameters, the Run, execution, manifest, rendered site, command line."""
