"""How fast the streams are, side by side with stock Faust; see README.md."""
