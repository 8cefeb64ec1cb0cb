"""What the table holds, each kind of item in a module of its own; nothing else reads or writes the table."""
