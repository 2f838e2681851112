"""How good is it: metrics, classical and learned baselines, comparison, reports."""
