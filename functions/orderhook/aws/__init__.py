"""AWS as the functions meet it: clients, the time that a request may take, the gateway's event, what is deferred."""
