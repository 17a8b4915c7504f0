"""Provide what an IT department asks for: the offline check, components and licences, the problem report."""
