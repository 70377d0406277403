"""What the script asks to be told: its environment, its command line."""
