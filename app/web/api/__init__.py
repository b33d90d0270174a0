"""The JSON API under `/api/v1`, for the bearer of a token."""
