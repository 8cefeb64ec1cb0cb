"""AWS on this machine: API Gateway, DynamoDB, SQS and EventBridge Scheduler, for `orderhook serve` and the tests."""
