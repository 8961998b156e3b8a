"""The state of every account at any time, by value time and by booking time."""
