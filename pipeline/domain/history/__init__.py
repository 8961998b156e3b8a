"""What every account was at any time, by value time and by booking time."""
