"""What developers run: the AWS double, a real control plane, the demo, the benchmarks."""
