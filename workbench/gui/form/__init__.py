"""The experiment form, made from the declarations of the config fields."""
