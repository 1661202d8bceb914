"""How real pictures look: distances between sets of images, what tells them apart, and what a refiner gained."""
