"""Commands of the offline check, licences and the problem report."""
