"""The training page: the list of trainings and the wizard's frame."""
