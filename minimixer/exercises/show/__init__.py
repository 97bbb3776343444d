"""What a class is shown: tables, the teacher's page and the students' pages; late work, rosters, similar answers."""
