"""Plain data that all packages share. Imports no other package."""
