"""The conversation as it is read: questions, answers, their footers, and the column of rows."""
