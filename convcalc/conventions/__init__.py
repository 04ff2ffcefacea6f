"""A Count -> the figure that another tool prints, and a printed figure -> the conventions that explain it."""
