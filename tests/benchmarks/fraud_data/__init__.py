"""Data on which fraud decisions are judged: seeded, frozen, written without a look at any rule."""
