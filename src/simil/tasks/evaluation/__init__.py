"""How well models do: datasets, metrics, experiments, calibration."""
