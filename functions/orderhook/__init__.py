"""The rooms that an alert passes on its way from text to answer."""
