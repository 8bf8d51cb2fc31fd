"""Executors: how jobs are spread. Each module has `run(jobs, make_worker, slots=...)`, with the same results."""
