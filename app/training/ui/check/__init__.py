"""The fourth step of a training: what is found before it begins, what it takes, and what exactly is learned."""
