"""What users and programs read: text, JSON and JUnit made from results."""
