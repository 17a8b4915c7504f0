"""The engine child: the only process that owns llama.cpp; it speaks JSON lines."""
