"""What the server knows of AWS: partitions, STS hosts, ARNs, the STS call, EC2 instance names."""
