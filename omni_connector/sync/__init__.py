"""What a run touches: its context, delivery, content and cancellation."""
