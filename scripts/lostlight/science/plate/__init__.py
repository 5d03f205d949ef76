"""What a photographic plate is: its solution, its headers, its density, its flaws."""
