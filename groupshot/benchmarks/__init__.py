"""What things cost: one runnable module for each, `python -m groupshot.benchmarks.NAME`."""
