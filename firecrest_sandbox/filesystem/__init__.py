"""File operations of both API versions, confined to the root."""
