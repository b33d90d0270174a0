"""The portal's data: plain containers with indexes, no rules of behaviour."""
