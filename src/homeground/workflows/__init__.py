"""What a user does, from the first file to the last: the story of every command."""
