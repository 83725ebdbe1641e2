"""The command line: one file for each command; a command imports what it needs when it runs."""
