"""The reference central server: takes batches in, publishes roster and policy, answers for records."""
