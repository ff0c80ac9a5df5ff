"""What Muniment is measured against; run in environments of their own."""
