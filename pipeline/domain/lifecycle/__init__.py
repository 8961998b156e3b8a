"""The lifecycle of every payment, and alerts for stuck payments."""
