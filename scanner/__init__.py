"""aws-scanner: an AWS inventory that says what it does not know."""
