"""What a person sees of each thing, in a terminal or as plain text."""
