"""A course from the lessons and exercises: six weeks, and the files that a teacher starts with."""
