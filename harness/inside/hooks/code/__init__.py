"""The code of the script: rewritten so that what it reads and keeps of plain numbers is seen."""
