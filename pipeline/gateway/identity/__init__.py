"""Who asks: sign-in of people, keys and tokens of programs, sessions, signed requests, limits."""
