"""Models behind one-method protocols: embedding and chat, the real ones and shipped fakes."""
