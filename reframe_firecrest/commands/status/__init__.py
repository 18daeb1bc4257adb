"""What a journal says about a run, put together for people and scripts."""
