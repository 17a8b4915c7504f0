"""The third step of a training: the base model, a preset, and what may be otherwise than it says."""
