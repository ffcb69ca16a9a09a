"""What `bench/run` is made of: a file for each stage, and what they share."""
