"""The session room: owns the lives of jobs. Knows neither ReFrame nor URLs."""
