"""Find the submissions of a class: folders, archives and flat downloads, whose file answers what, and what is left."""
