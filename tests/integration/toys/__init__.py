"""Methods and a tuning that only tests know: each is two files, and nothing else of the studio is changed for them."""
