"""Show the windows of the licences, the problem report and the offline check."""
