"""Rules and records without Qt, torch or llama.cpp."""
