"""How the training environment is made on the user's machine: base Python, venv, libraries, converter, check."""
