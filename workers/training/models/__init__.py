"""Base models of a team: looked at before anything is trained, and downloaded where the operator allows it."""
