"""ブラインド比較: two answers without their names, and which one a person prefers."""
