"""What can be found out about a system: a starting site configuration, and the processors of its nodes."""
