"""Looks at data before anybody trains on them: what they are, what they hold and what is wrong with them."""
