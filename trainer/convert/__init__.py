"""Conversions between Hugging Face folders, PEFT adapters and GGUF files, as a process of its own."""
