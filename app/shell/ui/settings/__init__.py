"""The page 設定: what the user may decide, applied at once."""
