"""What it takes to follow the install guides on one machine."""
