"""Implement the children that load llama.cpp (engine, quantizer, scorer) and report to their parent in JSON lines."""
