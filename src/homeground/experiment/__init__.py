"""One recipe, and all the trainings it asks for."""
