"""What is looked at: pages that need nothing else, and charts."""
