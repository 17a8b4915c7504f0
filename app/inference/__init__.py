"""How a model is prompted, loaded and measured on this machine, and the children that compute."""
