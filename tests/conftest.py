"""What every test can ask for."""

import os

# Nothing that a test starts may look for an instance's metadata.
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
