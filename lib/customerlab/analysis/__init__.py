"""The methods: tables in, tables out; no files, no notebooks, no figures."""
