"""What knows no physics: checks of input, arrays, files, paths, signals, the terminal."""
