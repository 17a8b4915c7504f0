"""Define the commands of the offline check, the licences and the problem report."""
