"""Make the training environment on the user's machine: base Python, venv, libraries, converter, check."""
