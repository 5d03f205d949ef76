"""The words of the house: steps, columns and bits, each declared once. Standard library only."""
