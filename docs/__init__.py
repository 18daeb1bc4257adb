"""Documentation: the pages, the configuration of the site, and the scripts that write parts of it."""
