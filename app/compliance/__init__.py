"""Provide documents for IT departments: the offline check, components with licences, and the problem report."""
