"""What the script does to the machine, and to the functions that it shares with us."""
