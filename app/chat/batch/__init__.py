"""Many questions from one file and their answers in another; `app.chat.services.batch_run` asks the questions."""
