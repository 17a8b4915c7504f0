"""The user's documents: what is stored of them, how a question finds them, how an answer is tied to them. No Qt."""
