"""Is it better, and than what: metrics, baselines, comparison. Knows no film and no task."""
