"""What every test can ask for."""

import os

from hypothesis import settings

# Nothing that a test starts may look for an instance's metadata.
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
# A busy machine is no fault of the code's; what is measured is measured by `make bench`.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
