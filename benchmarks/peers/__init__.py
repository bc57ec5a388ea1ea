"""Programs that others wrote, or write the way others do: each loads the deals once, in an environment of its own."""
