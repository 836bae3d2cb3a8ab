"""The simulated device: rules that say which cases misbehave, and how."""
