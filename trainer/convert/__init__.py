"""Convert between Hugging Face folders, PEFT adapters and GGUF files, in a process of its own."""
