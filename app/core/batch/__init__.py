"""Many questions from a file, and their answers into another. Nothing here asks a model: that is app.services.batch."""
