"""The fault matrix: what was tried, what held. ``make faults`` tries everything, the default tests a part of it."""
