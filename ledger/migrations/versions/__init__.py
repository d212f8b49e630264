"""Schema changes in order. A released file is never edited: what follows is a new file."""
