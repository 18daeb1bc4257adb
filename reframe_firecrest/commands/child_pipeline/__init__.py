"""`reframe-firecrest child-pipeline`: make a child pipeline for GitLab with one job for each test."""
