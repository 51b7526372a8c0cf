"""The sections of the report: each turns the record of a run into the values that its macro in templates/ needs."""
