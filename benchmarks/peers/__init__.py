"""Speed beside that of other libraries, on the same data, model and machine, and what each has learned."""
