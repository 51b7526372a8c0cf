"""The task mlm: masked language modelling on plain texts."""
