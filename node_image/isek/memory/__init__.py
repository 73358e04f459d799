"""What agents remember: conversations, and what they learnt of their users."""
