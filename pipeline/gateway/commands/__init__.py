"""Commands: what people and programs ask for, and how it becomes events."""
