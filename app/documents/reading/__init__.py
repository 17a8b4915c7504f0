"""The reading child: foreign files are opened here only, and become sections in the documents' database."""
