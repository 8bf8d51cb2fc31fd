"""The one door to AWS: sessions, clients, calls, limits, outcomes. Nobody else imports boto3."""
