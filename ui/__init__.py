"""The pages people see: the customers' chat page."""
