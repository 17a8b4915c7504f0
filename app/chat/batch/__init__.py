"""Read many questions from one file and write their answers to another; `app.chat.services.batch_run` asks the
questions."""
