"""The page まとめて質問: many questions from a file, answered one after another."""
