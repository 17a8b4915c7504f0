"""Small widgets without knowledge of Kotae's services."""
