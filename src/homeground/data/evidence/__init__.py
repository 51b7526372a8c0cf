"""What a file seems to be where it is not what it is read as: found in its first bytes, its encoding and its lines."""
