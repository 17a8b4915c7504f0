"""The downloading child: the one process of Kotae that may use the network. It starts only at the user's request."""
