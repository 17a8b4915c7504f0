"""Many questions from a file, and their answers into another; `app.chat.services.batch_run` asks them."""
