"""Files and folders whole or not at all, and tables read from foreign files."""
