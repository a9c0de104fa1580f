"""Reads what people have: folders, zips, tables, pictures, recordings, arrays; knows of no classes and no tasks."""
