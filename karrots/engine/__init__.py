# How `up` begins the line that says so; those who start it read it.
ANSWERS = "API server answers"
