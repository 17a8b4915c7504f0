"""The inference child: one process that owns llama.cpp and speaks JSON lines."""
