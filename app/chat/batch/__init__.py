"""Many questions from a file, and their answers into another; `app.chat.services.batch` asks them."""
