"""Arrays and tables in, arrays and tables out: no paths, no config objects, no logging set-up."""
