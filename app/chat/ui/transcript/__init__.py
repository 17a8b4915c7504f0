"""Show the transcript of a conversation: questions, answers, their footers, and the column of rows."""
