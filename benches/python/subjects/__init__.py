"""What is measured: the floors, overcurrent and its peers, one file each."""
