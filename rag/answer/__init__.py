"""From hits to an answer: the prompt, the stream, and checking each sentence against its lines."""
